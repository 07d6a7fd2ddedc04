"""Fixtures: a real MiniStack process, and fresh topics and queues for each test."""

import itertools
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Self

import pytest

from chassis.clock import utc_now, uuid7
from chassis.messaging.aws_clients import sns_client, sqs_client
from chassis.messaging.events import Event, parse_event
from chassis.messaging.sns_topic import Topic
from chassis.messaging.sqs_queue import Message, Queue
from chassis.messaging.subscriptions import BusEndpoints, Subscription, provision_bus
from infra import ministack
from infra.runner.config import ROOT
from infra.runner.free_port import free_port

_prefixes = itertools.count(1)


def make_event(
    kind: str = "note.created", subject: str = "", version: int = 1, **data: Any
) -> Event:
    """Build an event of a test domain."""
    return Event(uuid7(), kind, "/notes", subject or uuid7(), version, utc_now(), data)


class MiniStack:
    """A MiniStack process in its own folder; its content is lost when it stops."""

    def __init__(
        self,
        command: Sequence[str] = ministack.command(),
        settings: Mapping[str, str] = MappingProxyType({"SERVICES": "sns,sqs"}),
    ) -> None:
        """Create a process of a command; `settings` are MiniStack's own."""
        self.port = free_port()
        self._command, self._settings = command, settings
        self.process: subprocess.Popen[bytes] | None = None
        self._folder = tempfile.TemporaryDirectory(prefix="ministack-")

    @property
    def url(self) -> str:
        """The base URL."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables that point boto3 to this process."""
        return {
            "AWS_ENDPOINT_URL_SNS": self.url,
            "AWS_ENDPOINT_URL_SQS": self.url,
            "AWS_DEFAULT_REGION": "eu-central-1",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
        }

    def start(self) -> Self:
        """Start it, empty, and wait until it is ready; also after `kill`, on the same port."""
        log = Path(self._folder.name) / "log"
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                self._command,
                cwd=ROOT,
                env={
                    "PATH": os.environ.get("PATH", ""),
                    "HOME": self._folder.name,
                    "TMPDIR": self._folder.name,
                    "GATEWAY_PORT": str(self.port),
                    "BIND_HOST": "127.0.0.1",
                    "MINISTACK_HOST": "127.0.0.1",
                    "MINISTACK_REGION": "eu-central-1",
                    "SFTP_ENABLED": "0",
                    "IOT_MTLS_ENABLED": "0",
                    # Never the engine of this machine.
                    "DOCKER_HOST": "unix:///nonexistent",
                    **self._settings,
                },
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        end = time.monotonic() + 30
        while "Running on" not in log.read_text(encoding="utf-8"):
            if self.process.poll() is not None or time.monotonic() > end:
                msg = f"MiniStack does not run:\n{log.read_text(encoding='utf-8')}"
                raise RuntimeError(msg)
            time.sleep(0.02)
        return self

    def pause(self) -> None:
        """Suspend it until `resume`; connections to it hang."""
        assert self.process
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Resume it."""
        assert self.process
        self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """Kill it; topics, queues and messages are lost."""
        assert self.process
        self.process.kill()
        self.process.wait(10)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()
        self._folder.cleanup()


class Bus:
    """The clients of a running SNS and SQS, with helpers for tests."""

    def __init__(self, ministack: MiniStack) -> None:
        self.environment = ministack.environment
        self.sns = sns_client()
        self.sqs = sqs_client(1)

    def provision(
        self, subscriptions: Iterable[Subscription], prefix: str = ""
    ) -> dict[str, BusEndpoints]:
        """Create the topic and the components' queues, with a new prefix unless one is given."""
        return provision_bus(
            self.sns, self.sqs, prefix or f"t{next(_prefixes)}-", tuple(subscriptions)
        )

    def topic(self, places: BusEndpoints) -> Topic:
        """Return the topic of a component's settings."""
        return Topic(self.sns, places.topic_arn)

    def queue(self, places: BusEndpoints) -> Queue:
        """Return the queue of a component's settings."""
        return Queue(self.sqs, places.queue_url, places.dead_letter_queue_url)

    def publish(self, places: BusEndpoints, *events: Event) -> None:
        """Publish events as a relay would; return once each queue has them."""
        assert self.topic(places).publish(events) == list(events)

    def send(self, places: BusEndpoints, *bodies: str) -> None:
        """Send arbitrary messages to a component's queue, bypassing the topic."""
        for body in bodies:
            self.sqs.send_message(QueueUrl=places.queue_url, MessageBody=body)

    def take_events(self, places: BusEndpoints) -> list[Event]:
        """Remove and return the available events of a component's queue."""
        return [parse_event(message.body) for message in self._taken(places.queue_url)]

    def take_dead_letters(self, places: BusEndpoints) -> list[tuple[str, str]]:
        """Remove the dead letters from their queue; return the reason and text of each."""
        return [
            (message.attributes.get("reason", {}).get("StringValue", ""), message.body)
            for message in self._taken(places.dead_letter_queue_url)
        ]

    def _taken(self, url: str) -> list[Message]:
        queue, messages = Queue(self.sqs, url, ""), list[Message]()
        while batch := queue.receive(0):
            queue.delete(batch)
            messages += batch
        return messages


@pytest.fixture(scope="session")
def bus() -> Iterator[Bus]:
    """Run SNS and SQS in memory, and point boto3's environment at them."""
    with MiniStack() as ministack, pytest.MonkeyPatch.context() as patch:
        for name, value in ministack.environment.items():
            patch.setenv(name, value)
        yield Bus(ministack)
