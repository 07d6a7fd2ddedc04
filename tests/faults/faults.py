"""Faults of a stage: each begins and ends within a block."""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager

import boto3

from infra import stages
from tests.faults.mesh import Mesh
from tests.support.harness import Stack

Fault = Callable[[], AbstractContextManager[None]]
PAUSE_SECONDS = 10.0
NETWORK_SECONDS = 2.0


class Faults:
    """The faults of a stage, by name."""

    def __init__(self, stack: Stack, mesh: Mesh, rng: random.Random) -> None:
        self._stack = stack
        self._mesh = mesh
        self._rng = rng
        parts = (*stack.config.components, *stack.config.workers)
        self.named: dict[str, Fault] = {
            **{f"kill {part}": self._bound(self._kill, part) for part in (*parts, "dynamodb")},
            **{f"pause {part}": self._bound(self._pause, part) for part in parts},
            **{f"drop {way}": self._bound(self._drop, way) for way in mesh.ways},
            **{f"delay {way}": self._bound(self._delay, way) for way in mesh.ways},
            "throttle dynamodb": self._throttle,
            "repeat messages": self._repeat,
        }

    def pair(self) -> tuple[str, str]:
        """Pick two faults, to be nested."""
        first, second = self._rng.sample(sorted(self.named), 2)
        return first, second

    def kills(self, parts: Sequence[str]) -> Fault:
        """Kill processes one after another, with a second in between."""

        @contextmanager
        def killed() -> Iterator[None]:
            for part in parts:
                self._stack.kill_group(part)
                time.sleep(1)
            yield

        return killed

    def pauses(self, parts: Sequence[str]) -> Fault:
        """Pause processes, each a second after the previous one, so that pauses overlap."""

        @contextmanager
        def paused() -> Iterator[None]:
            with ThreadPoolExecutor(len(parts)) as pool:
                for place, part in enumerate(parts):
                    pool.submit(self._pause_later, part, place)
            yield

        return paused

    def _pause_later(self, part: str, seconds: float) -> None:
        time.sleep(seconds)
        with self._pause(part):
            pass

    def _bound(self, fault: Callable[[str], AbstractContextManager[None]], part: str) -> Fault:
        return lambda: fault(part)

    @contextmanager
    def _kill(self, part: str) -> Iterator[None]:
        """Kill a process and its workers (SIGKILL); it is restarted by its supervisor."""
        self._stack.kill_group(part)
        yield

    @contextmanager
    def _pause(self, part: str) -> Iterator[None]:
        """Suspend a process (SIGSTOP) for some seconds."""
        self._stack.pause(part)
        try:
            time.sleep(PAUSE_SECONDS)
        finally:
            self._stack.resume(part)
        yield

    @contextmanager
    def _drop(self, name: str) -> Iterator[None]:
        """Close every connection to an upstream."""
        with self._mesh.dropping(name):
            time.sleep(NETWORK_SECONDS)
        yield

    @contextmanager
    def _delay(self, name: str) -> Iterator[None]:
        """Delay every second call to an upstream."""
        with self._mesh.delaying(name):
            time.sleep(NETWORK_SECONDS)
        yield

    @contextmanager
    def _throttle(self) -> Iterator[None]:
        """Throttle half of all calls to DynamoDB."""
        with self._mesh.throttling():
            time.sleep(NETWORK_SECONDS)
        yield

    @contextmanager
    def _repeat(self) -> Iterator[None]:
        """Publish every event of the services once more, in random order."""
        republish(self._stack, self._rng)
        yield


def republish(stack: Stack, rng: random.Random) -> int:
    """Publish the events of all DynamoDB outboxes again, in random order; return their number."""
    session = boto3.Session("local", "local", region_name="eu-central-1")
    dynamo = stack.dynamodb()
    sns = session.client("sns", endpoint_url=stack.config.url("bus"))
    topic = sns.list_topics()["Topics"][0]["TopicArn"]
    events: list[tuple[str, str]] = []
    for service in stages.in_canonical_order(stack.config.extracted):
        for page in dynamo.get_paginator("scan").paginate(TableName=f"forum-{service}-outbox"):
            events += [
                (item["event"]["S"], item["event"]["S"].split('"type":"')[1].split('"')[0])
                for item in page["Items"]
                if "event" in item
            ]
    rng.shuffle(events)
    events = events[:500]
    for start in range(0, len(events), 10):
        sns.publish_batch(
            TopicArn=topic,
            PublishBatchRequestEntries=[
                {
                    "Id": str(place),
                    "Message": text,
                    "MessageAttributes": {"type": {"DataType": "String", "StringValue": kind}},
                }
                for place, (text, kind) in enumerate(events[start : start + 10])
            ],
        )
    return len(events)
