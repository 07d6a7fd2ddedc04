"""How far a component's events have come, for whoever looks after it."""

from collections.abc import Callable
from typing import Any

from flask import Flask, Response, json

from chassis.bus import Queue
from chassis.clock import Clock
from chassis.errors import Unavailable
from chassis.outbox import Outbox

PATH = "/eventz"


def add(app: Flask, outbox: Outbox, queue: Queue | None, clock: Clock) -> None:
    """Add `GET /eventz`: the state of the outbox, of the queue and of the worker.

    `outbox_seconds` is the age of the oldest event that waits to be published (0: none waits),
    `waiting`, `in_flight` and `dead` count messages of the component's queue, `lag_seconds` is how
    old the last event was when it was applied, `worker_seconds` how long ago the worker was last
    at work. What can't be read right now is null.
    """

    @app.get(PATH)
    def eventz() -> Response:
        """Say how far events have come."""
        now = clock()
        told: dict[str, Any] = {}
        beat = _or_none(outbox.last_beat)
        oldest = _or_none(lambda: outbox.oldest() or now)
        told["outbox_seconds"] = _seconds(oldest and (now - oldest).total_seconds())
        told["worker_seconds"] = _seconds(beat and (now - beat.at).total_seconds())
        told["lag_seconds"] = beat and beat.lag_seconds
        depth = _or_none(queue.depth) if queue else None
        told["waiting"] = depth and depth.waiting
        told["in_flight"] = depth and depth.in_flight
        told["dead"] = depth and depth.dead
        return Response(
            json.dumps(told),
            content_type="application/json",
            headers={"Cache-Control": "no-store"},
        )


def _or_none(question: Callable[[], Any]) -> Any:
    try:
        return question()
    except Unavailable:
        return None


def _seconds(value: float | None) -> float | None:
    return None if value is None else round(max(0.0, value), 3)
