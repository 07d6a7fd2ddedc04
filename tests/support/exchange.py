"""What tests of a service's worker share: its place on the bus, and a consumer without patience."""

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

import pytest
from pydantic import SecretStr

from chassis.clock import utc_now
from chassis.messaging.bus import Queue
from chassis.messaging.consumer import Consumer
from chassis.messaging.events import Event, Handler
from chassis.messaging.subscriptions import Places
from chassis.settings import BUS, EXIT_CONFIG, ServiceSettings
from tests.support.bus import Bus

SETTINGS = TypeVar("SETTINGS", bound=ServiceSettings)
Consume = Callable[[], bool]


class Impatient(Queue):
    """A queue that gives back at once what is to be tried again later."""

    def hide(self, messages, seconds):
        super().hide(messages, 0)


def on_bus(settings: SETTINGS, places: Places) -> SETTINGS:
    """Give the same settings with a place on the bus."""
    mine = {
        "events_topic_arn": places.topic_arn,
        "events_queue_url": places.queue_url,
        "events_dead_letters_url": places.dead_letters_url,
        "events_wait_seconds": 1,
    }
    return settings.model_copy(update=mine)


def consuming(
    bus: Bus, places: Places, handlers: Mapping[str, Handler], check: Callable[[], None]
) -> Consume:
    """Give what applies what is in a component's queue."""
    queue = Impatient(bus.sqs, places.queue_url, places.dead_letters_url)
    return Consumer(queue, handlers, check, utc_now, wait_seconds=0).once


def told(found: Iterable[Event]) -> list[tuple[str, int, str]]:
    """Give what the events say, in an order of its own."""
    return sorted((event.subject, event.version, event.type) for event in found)


def needs_the_bus(
    main: Callable[[], int], patch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Check that an entry point asks for all of its place on the bus, and says so at once."""
    for name in BUS:
        patch.setenv(name.upper(), "")
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == EXIT_CONFIG
    lines = capsys.readouterr().err.splitlines()[1:]
    assert {line.split(":")[0].strip() for line in lines} == {name.upper() for name in BUS}


@pytest.fixture
def environment(settings: ServiceSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give a process of its own the same settings."""
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if isinstance(value, SecretStr):
            value = value.get_secret_value()
        elif isinstance(value, frozenset):
            value = ",".join(value)
        monkeypatch.setenv(name.upper(), str(value))
