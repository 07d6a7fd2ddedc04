"""The bus of local runs: MiniStack, an emulator of SNS and SQS."""

import sys

from chassis.messaging.subscriptions import Subscription, topic_name
from infra.local_environment import AWS
from infra.runner.config import BUS, HOST, RunConfig

PREFIX = "forum-"
REGION, ACCOUNT = AWS["AWS_DEFAULT_REGION"], "000000000000"
TOPIC_ARN = f"arn:aws:sns:{REGION}:{ACCOUNT}:{topic_name(PREFIX)}"
READY_PATH = "/_ministack/ready"
# Bounds a worker's stop, which waits for its long poll.
WAIT_SECONDS = 1


def command() -> tuple[str, ...]:
    """Return the command line."""
    return (sys.executable, "-m", "infra.guarded_ministack")


def ministack_environment(config: RunConfig) -> dict[str, str]:
    """Return MiniStack's own settings as environment variables."""
    return {
        "BIND_HOST": HOST,
        "GATEWAY_PORT": str(config.ports[BUS]),
        "MINISTACK_HOST": HOST,
        "MINISTACK_REGION": REGION,
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "SERVICES": "sns,sqs",
        "SFTP_ENABLED": "0",
        "IOT_MTLS_ENABLED": "0",
        "LOG_LEVEL": "WARNING",
        # The folder of its process id.
        "TMPDIR": str(config.run_folder),
        # Otherwise it would remove the containers of another MiniStack on this machine.
        "DOCKER_HOST": "unix:///nonexistent",
    }


def bus_environment(config: RunConfig, component: str) -> dict[str, str]:
    """Return a component's settings of the bus, which are known before the bus runs."""
    queue, dead_letter_queue = queue_urls(config.internal_url(BUS), component)
    return {
        "EVENTS_TOPIC_ARN": TOPIC_ARN,
        "EVENTS_QUEUE_URL": queue,
        "EVENTS_DEAD_LETTER_QUEUE_URL": dead_letter_queue,
        "EVENTS_WAIT_SECONDS": str(WAIT_SECONDS),
    }


def queue_urls(bus: str, component: str) -> tuple[str, str]:
    """Return the URLs of a component's queue and dead-letter queue on a bus."""
    own, queues = Subscription(component, ()), f"{bus}/{ACCOUNT}"
    return f"{queues}/{own.queue_name(PREFIX)}", f"{queues}/{own.dead_letter_queue_name(PREFIX)}"
