"""Descriptions of degraded components, in plain sentences."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

WORKER_SECONDS = 15
"""Age of a heartbeat after which a worker counts as down; it sends one every 2 seconds."""
EVENT_SECONDS = 30
"""Delay after which an event counts as late; the usual delay is well below a second."""

_IMPACT = {
    "users": (
        "Nobody can register, sign in or change an account. Everybody who is signed in can go on"
        " reading and writing; profiles may be a little old."
    ),
    "threads": (
        "Threads are shown as they were last known here, and can be replied to. None can be"
        " started, changed or deleted."
    ),
    "posts": (
        "Posts can neither be shown nor written. The list of threads and their heads are there,"
        " and a reply that can’t be saved is kept in its form."
    ),
}


@dataclass(frozen=True)
class ComponentHealth:
    """A component's health: `detail` is the cause of an outage, `events` the result of `/eventz`.

    `events` is None without events, and empty if the component did not report them.
    """

    name: str
    owns: Sequence[str]
    served_by: str = ""
    detail: str = ""
    events: Mapping[str, Any] | None = None

    @property
    def state(self) -> str:
        """The state: `ok` or `down`."""
        return "down" if self.detail else "ok"


def describe_problems(components: Sequence[ComponentHealth]) -> list[str]:
    """Return one or two sentences about each problem; empty if everything is healthy."""
    found = [
        f"{component.name} did not answer just now. {_IMPACT.get(component.name, '')}".strip()
        for component in components
        if component.detail
    ]
    # If the outbox's state is known, so is the queue's, unless the bus is down.
    cut_off = [c.name for c in components if c.events and c.events.get("queue_depth") is None]
    if cut_off:
        found.append(
            f"The bus between components can’t be reached by {_listed(cut_off)}. What people write"
            " is saved all the same; the other components learn of it once the bus is back."
        )
    for component in components:
        found += _event_problems(component)
    return found


def _event_problems(component: ComponentHealth) -> Iterator[str]:
    name, events = component.name, component.events
    if events is None:
        return
    if not events:
        yield f"{name} did not say how far its events are."
        return
    seen, unsent = events.get("heartbeat_age_seconds"), events.get("outbox_age_seconds")
    late, dead = events.get("event_lag_seconds"), events.get("dead_letters")
    if seen is None or seen > WORKER_SECONDS:
        when = "has not been at work yet" if seen is None else f"was last seen {_time(seen)} ago"
        yield (
            f"The worker of {name} {when}. What changes in {name} does not show in other"
            " components until it is back, nor the other way round."
        )
    if unsent and unsent > EVENT_SECONDS:
        yield f"Events of {name} have been waiting for {_time(unsent)} to be sent."
    if events.get("queue_depth") and late and late > EVENT_SECONDS:
        yield f"{name} is {_time(late)} behind with what other components tell it."
    if dead:
        events_are = "event was" if dead == 1 else "events were"
        yield (
            f"{dead} {events_are} put aside, because {name} could not apply"
            f" {'it' if dead == 1 else 'them'}. Somebody has to look at the dead letters."
        )


def _listed(names: Iterable[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


def _time(seconds: float) -> str:
    for size, unit in ((3600, "hour"), (60, "minute")):
        if seconds >= 2 * size:
            return f"{int(seconds // size)} {unit}s"
    return f"{int(seconds)} seconds"
