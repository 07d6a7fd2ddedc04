"""Descriptions of degraded components, in plain sentences."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chassis.clock import CLOCK_SKEW

WORKER_SECONDS = 15
"""Age of a heartbeat after which a worker counts as down; it sends one every 2 seconds."""
EVENT_SECONDS = 30
"""Delay after which an event counts as late; the usual delay is well below a second."""

_IMPACT = {
    "users": (
        "Registration, sign-in and account changes are unavailable. Signed-in users can keep"
        " reading and writing; profiles may be slightly out of date."
    ),
    "threads": (
        "Threads are shown from a recent copy, and you can reply to them. You cannot start,"
        " change or delete threads."
    ),
    "posts": (
        "Posts cannot be read or written. Thread lists and titles are available, and a reply"
        " that cannot be saved stays in its form."
    ),
}


@dataclass(frozen=True)
class ComponentHealth:
    """A component's health: `detail` is the cause of an outage, `events` the result of `/eventz`.

    `events` is None without events, and empty if the component did not report them.
    `clock_skew_seconds` is how far its clock is at least ahead of the monolith's, negative if it is
    behind.
    """

    name: str
    owns: Sequence[str]
    served_by: str = ""
    detail: str = ""
    events: Mapping[str, Any] | None = None
    clock_skew_seconds: float = 0.0

    @property
    def state(self) -> str:
        """The state: `ok` or `down`."""
        return "down" if self.detail else "ok"


def describe_problems(components: Sequence[ComponentHealth]) -> list[str]:
    """Return one or two sentences about each problem; empty if everything is healthy."""
    found = [
        f"The {component.name} service is unreachable. {_IMPACT[component.name]}"
        if component.name in _IMPACT
        else f"The {component.name} is unreachable."
        for component in components
        if component.detail
    ]
    # If the outbox's state is known, so is the queue's, unless the bus is down.
    cut_off = [c.name for c in components if c.events and c.events.get("queue_depth") is None]
    if cut_off:
        found.append(
            f"The message bus is unreachable from {_listed(cut_off)}. New content is still saved;"
            " other components receive it when the bus is back."
        )
    for component in components:
        found += _event_problems(component)
        found += _clock_problems(component)
    return found


def _event_problems(component: ComponentHealth) -> Iterator[str]:
    name, events = component.name, component.events
    if events is None:
        return
    if not events:
        yield f"{name} did not report its event status."
        return
    seen, unsent = events.get("heartbeat_age_seconds"), events.get("outbox_age_seconds")
    late, dead = events.get("event_lag_seconds"), events.get("dead_letters")
    if seen is None or seen > WORKER_SECONDS:
        when = "has not started yet" if seen is None else f"was last seen {_time(seen)} ago"
        yield (
            f"The {name} worker {when}. Until it is back, changes in {name} do not reach other"
            " components, and their changes do not reach it."
        )
    if unsent and unsent > EVENT_SECONDS:
        yield f"The oldest event in the {name} outbox is {_time(unsent)} old."
    if events.get("queue_depth") and late and late > EVENT_SECONDS:
        yield f"{name} is {_time(late)} behind on events from other components."
    if dead:
        events_are = "event is" if dead == 1 else "events are"
        yield (
            f"{dead} {events_are} in the dead-letter queue of {name} because processing failed."
            " An operator has to inspect the queue."
        )


def _clock_problems(component: ComponentHealth) -> Iterator[str]:
    skew = component.clock_skew_seconds
    if abs(skew) > CLOCK_SKEW:
        side = "ahead of" if skew > 0 else "behind"
        yield (
            f"The clock of {component.name} is at least {_time(abs(skew))} {side} the monolith's."
            " An operator has to synchronize the clocks."
        )


def _listed(names: Iterable[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


def _time(seconds: float) -> str:
    for size, unit in ((3600, "hour"), (60, "minute")):
        if seconds >= 2 * size:
            return f"{int(seconds // size)} {unit}s"
    return f"{int(seconds)} seconds"
