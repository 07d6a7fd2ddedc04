"""Helpers for tests of a service's worker: bus settings, and a consumer with immediate retries."""

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

import pytest
from pydantic import SecretStr

from chassis.clock import utc_now
from chassis.messaging.consumer import Consumer
from chassis.messaging.events import Event, EventHandler
from chassis.messaging.sqs_queue import Queue
from chassis.messaging.subscriptions import BusEndpoints
from chassis.settings import BUS_SETTINGS, EXIT_CONFIG, ServiceSettings
from tests.support.bus import Bus

SETTINGS = TypeVar("SETTINGS", bound=ServiceSettings)
Consume = Callable[[], bool]


class ImmediateRetryQueue(Queue):
    """A queue that returns failed messages at once."""

    def change_visibility(self, messages, seconds):
        super().change_visibility(messages, 0)


def with_bus(settings: SETTINGS, places: BusEndpoints) -> SETTINGS:
    """Return the settings with topic and queues."""
    mine = {
        "events_topic_arn": places.topic_arn,
        "events_queue_url": places.queue_url,
        "events_dead_letter_queue_url": places.dead_letter_queue_url,
        "events_wait_seconds": 1,
    }
    return settings.model_copy(update=mine)


def make_consumer(
    bus: Bus, places: BusEndpoints, handlers: Mapping[str, EventHandler], check: Callable[[], None]
) -> Consume:
    """Return a function that consumes a component's queue."""
    queue = ImmediateRetryQueue(bus.sqs, places.queue_url, places.dead_letter_queue_url)
    return Consumer(queue, handlers, check, utc_now, wait_seconds=0).consume_batch


def event_summaries(found: Iterable[Event]) -> list[tuple[str, int, str]]:
    """Return sorted summaries of events."""
    return sorted((event.subject, event.version, event.type) for event in found)


def assert_requires_bus(
    main: Callable[[], object], patch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Check that an entry point requires all settings of the bus, and reports them together."""
    for name in BUS_SETTINGS:
        patch.setenv(name.upper(), "")
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == EXIT_CONFIG
    lines = capsys.readouterr().err.splitlines()[1:]
    assert {line.split(":")[0].strip() for line in lines} == {name.upper() for name in BUS_SETTINGS}


@pytest.fixture
def environment(settings: ServiceSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the environment of a child process to the same settings."""
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if isinstance(value, SecretStr):
            value = value.get_secret_value()
        elif isinstance(value, frozenset):
            value = ",".join(value)
        monkeypatch.setenv(name.upper(), str(value))
