"""A database without room: writes are refused, reads go on."""

import pytest
from sqlalchemy import event


@pytest.fixture
def backend():
    # Only SQLite's size can be limited for a test.
    return "sqlite"


def _limit_to_present_size(connection, _record, _proxy):
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages}")


def _lift_limit(connection, _record, _proxy):
    connection.execute("PRAGMA max_page_count = 1000000")


def test_writes_without_room_are_503_and_reads_go_on(app, client, ada):
    thread = client.post("/api/threads", json={"title": "T"}, headers=ada.headers).json["id"]
    body = {"thread_id": thread, "body": "x" * 15_000}
    engine = app.extensions["database"].engine
    event.listen(engine, "checkout", _limit_to_present_size)
    refused = client.post("/api/posts", json=body, headers=ada.headers)
    assert refused.status_code == 503
    assert refused.json["detail"] == "The database is temporarily unavailable."
    assert client.get(f"/api/threads/{thread}").status_code == 200
    assert client.get(f"/threads/{thread}").status_code == 200
    event.remove(engine, "checkout", _limit_to_present_size)
    event.listen(engine, "checkout", _lift_limit)
    assert client.post("/api/posts", json=body, headers=ada.headers).status_code == 201
