"""The bus of local runs: MiniStack, which answers as SNS and SQS do."""

import re
import sys
from pathlib import Path

from chassis.messaging.subscriptions import Subscription, topic_name
from infra.runner.config import BUS, HOST, RunConfig

PREFIX = "forum-"
REGION, ACCOUNT = "eu-central-1", "000000000000"
READY_PATH = "/_ministack/ready"
# A worker stops as soon as its call for messages ends.
WAIT_SECONDS = 1


def command() -> tuple[str, ...]:
    """Give the command line."""
    return (str(Path(sys.executable).with_name("ministack")),)


def ministack_environment(config: RunConfig) -> dict[str, str]:
    """Give MiniStack's own settings, as environment variables."""
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
        # It reads its state at its start, and writes it at an orderly stop only.
        "PERSIST_STATE": "1",
        "STATE_DIR": str(state_folder(config)),
        # Where it leaves its process id.
        "TMPDIR": str(config.run_folder),
        # It would remove the containers of another MiniStack on this machine.
        "DOCKER_HOST": "unix:///nonexistent",
    }


def state_folder(config: RunConfig) -> Path:
    """Name the folder of topics, queues and messages while the bus does not run."""
    return config.folder / "bus"


def bus_environment(config: RunConfig, component: str) -> dict[str, str]:
    """Give a component's settings for its events; they hold before the bus runs."""
    own = Subscription(component, ())
    queues = f"{config.internal_url(BUS)}/{ACCOUNT}"
    return {
        "EVENTS_TOPIC_ARN": f"arn:aws:sns:{REGION}:{ACCOUNT}:{topic_name(PREFIX)}",
        "EVENTS_QUEUE_URL": f"{queues}/{own.queue_name(PREFIX)}",
        "EVENTS_DEAD_LETTER_QUEUE_URL": f"{queues}/{own.dead_letter_queue_name(PREFIX)}",
        "EVENTS_WAIT_SECONDS": str(WAIT_SECONDS),
    }


# As a value, and as part of a key; within a message a quote has a backslash before it.
_ADDRESS = re.compile(rf"""((?<!\\)"|\\u0000')http://{re.escape(HOST)}:\d+/(?={ACCOUNT}/)""")


def rewrite_queue_urls(config: RunConfig) -> None:
    """Let the queues be found at the bus's port, if it was another one in the last run."""
    file = state_folder(config) / "sqs.json"
    if file.exists():
        before = file.read_text(encoding="utf-8")
        after = _ADDRESS.sub(rf"\g<1>{config.url(BUS)}/", before)
        if after != before:
            partial = file.with_name("sqs.json.moved")
            partial.write_text(after, encoding="utf-8")
            partial.replace(file)
