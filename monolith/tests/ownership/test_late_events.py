"""Events of a service that arrive after its domain has returned to the forum."""

from datetime import UTC, datetime

import pytest

from chassis.messaging.events import Event
from forum.bootstrap import Bootstrap


@pytest.fixture
def thread(client, ada):
    made = client.post("/api/threads", json={"title": "Here"}, headers=ada.headers)
    assert made.status_code == 201
    return made.json


@pytest.fixture
def apply(settings, thread, ada):
    parts = Bootstrap(settings)
    handlers = parts.event_handlers()

    def apply(kind: str, version: int, **data) -> None:
        author = {"author_id": ada.id, "created_at": thread["created_at"]}
        at = datetime(2026, 1, 31, tzinfo=UTC)
        handlers[kind](Event("e", kind, "/threads", thread["id"], version, at, author | data))

    yield apply
    parts.database.engine.dispose()


def test_late_deletion_counts(client, thread, apply):
    apply("thread.deleted", 2)
    assert client.get(f"/api/threads/{thread['id']}").status_code == 404


def test_deletion_older_than_the_row_is_ignored(client, thread, apply):
    apply("thread.deleted", 1)
    assert client.get(f"/api/threads/{thread['id']}").status_code == 200


def test_late_update_is_ignored(client, thread, apply):
    apply("thread.updated", 2, title="There", locked=False)
    assert client.get(f"/api/threads/{thread['id']}").json["title"] == "Here"
