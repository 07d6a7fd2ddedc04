"""The monolith, with writes that a request may slow down: `gunicorn labs.paced_forum:app`.

A request with the header `X-Labs-Pause: 1.5` waits so long before its transaction, as on a machine
that is busy. What the request has read before may be out of date by then.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from flask import has_request_context, request
from sqlalchemy.orm import Session

from forum.database import Database
from forum.wsgi import app

PAUSE = "X-Labs-Pause"
__all__ = ["app"]

_writing = Database.writing


@contextmanager
def _paused(database: Database) -> Iterator[Session]:
    if has_request_context():
        time.sleep(float(request.headers.get(PAUSE, 0)))
    with _writing(database) as session:
        yield session


setattr(Database, "writing", _paused)  # noqa: B010 - a method can't be assigned
