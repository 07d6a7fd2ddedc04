"""Status of a component's events, for operators."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from flask import Flask, Response, abort, json, request

from chassis.clock import Clock
from chassis.errors import Unavailable
from chassis.headers import FORWARDED_PORT
from chassis.messaging.outbox import Outbox
from chassis.messaging.sqs_queue import Queue

PATH = "/eventz"
KEYS = frozenset(
    (
        *("outbox_age_seconds", "queue_depth", "in_flight", "dead_letters"),
        *("event_lag_seconds", "heartbeat_age_seconds"),
    )
)
"""The keys of a status."""


def add_status_endpoint(app: Flask, outbox: Outbox, queue: Queue | None, clock: Clock) -> None:
    """Add `GET /eventz`, which returns the result of `read_status`; not for clients.

    It asks the queue, which AWS bills.
    """

    @app.get(PATH)
    def eventz() -> Response:
        """Return the status of events."""
        if FORWARDED_PORT in request.headers:
            abort(404)
        return Response(
            json.dumps(read_status(outbox, queue, clock)),
            content_type="application/json",
            headers={"Cache-Control": "no-store"},
        )


def read_status(outbox: Outbox, queue: Queue | None, clock: Clock) -> dict[str, Any]:
    """Read the state of the outbox, of the queue and of the worker.

    - `outbox_age_seconds`: age of the oldest unpublished event, 0 without one
    - `queue_depth`, `in_flight`, `dead_letters`: messages of the component's queue
    - `event_lag_seconds`: age of the last event when it was applied
    - `heartbeat_age_seconds`: time since the worker's last heartbeat

    A value that can't be read now is null.
    """
    status: dict[str, Any] = {}
    # Both or none: the caller should not wait twice for an outage.
    found = _or_none(lambda: (outbox.oldest_unpublished_at(), outbox.last_heartbeat()))
    oldest, beat = found or (None, None)
    now = clock()
    status["outbox_age_seconds"] = found and (_age(oldest, now) if oldest else 0)
    status["heartbeat_age_seconds"] = beat and _age(beat.at, now)
    status["event_lag_seconds"] = beat and beat.lag_seconds
    depth = _or_none(queue.depth) if queue else None
    status["queue_depth"] = depth and depth.queued
    status["in_flight"] = depth and depth.in_flight
    status["dead_letters"] = depth and depth.dead_letters
    return status


def _or_none(question: Callable[[], Any]) -> Any:
    try:
        return question()
    except Unavailable:
        return None


def _age(moment: datetime, now: datetime) -> float:
    # Never 0, which means that there is no such event; clocks may differ.
    return max(0.001, round((now - moment).total_seconds(), 3))
