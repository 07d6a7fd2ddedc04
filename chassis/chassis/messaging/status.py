"""How far a component's events have come, for whoever looks after it."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from flask import Flask, Response, json

from chassis.clock import Clock
from chassis.errors import Unavailable
from chassis.messaging.bus import Queue
from chassis.messaging.dynamodb_outbox import Outbox

PATH = "/eventz"


def add(app: Flask, outbox: Outbox, queue: Queue | None, clock: Clock) -> None:
    """Add `GET /eventz`, which answers what `read` does."""

    @app.get(PATH)
    def eventz() -> Response:
        """Say how far events have come."""
        return Response(
            json.dumps(read(outbox, queue, clock)),
            content_type="application/json",
            headers={"Cache-Control": "no-store"},
        )


def read(outbox: Outbox, queue: Queue | None, clock: Clock) -> dict[str, Any]:
    """Read the state of the outbox, of the queue and of the worker.

    `outbox_seconds` is the age of the oldest event that waits to be published (0: none waits),
    `waiting`, `in_flight` and `dead` count messages of the component's queue, `lag_seconds` is how
    old the last event was when it was applied, `worker_seconds` how long ago the worker was last
    at work. What can't be read right now is null.
    """
    told: dict[str, Any] = {}
    # Both or none: whoever asks does not want to wait twice for what is down.
    found = _or_none(lambda: (outbox.oldest(), outbox.last_beat()))
    oldest, beat = found or (None, None)
    now = clock()
    told["outbox_seconds"] = found and (_age(oldest, now) if oldest else 0)
    told["worker_seconds"] = beat and _age(beat.at, now)
    told["lag_seconds"] = beat and beat.lag_seconds
    depth = _or_none(queue.depth) if queue else None
    told["waiting"] = depth and depth.waiting
    told["in_flight"] = depth and depth.in_flight
    told["dead"] = depth and depth.dead
    return told


def _or_none(question: Callable[[], Any]) -> Any:
    try:
        return question()
    except Unavailable:
        return None


def _age(moment: datetime, now: datetime) -> float:
    # Never 0, which says that there is nothing; clocks may differ.
    return max(0.001, round((now - moment).total_seconds(), 3))
