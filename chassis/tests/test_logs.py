"""Logs are JSON, one object per line, without secrets."""

import logging

from tests.support.people import SESSION_COOKIE

PASSWORD = "correct-horse-battery"


def test_request_is_one_line_with_all_its_fields(client, logged):
    client.get("/api/notes/some-id?x=1", headers={"X-Request-Id": "trace-1"})
    (line,), _ = logged()
    milliseconds = line.pop("duration_ms")
    assert 0 <= milliseconds < 1000
    assert line.pop("time")
    assert line == {
        "level": "INFO",
        "logger": "access",
        "message": "request",
        "component": "tested",
        "request_id": "trace-1",
        "method": "GET",
        "route": "/api/notes/<id:note_id>",
        "status": 200,
    }


def test_every_kind_of_response_is_logged(client, logged):
    client.get("/nope")
    client.put("/api/notes")
    client.post("/api/notes", data="x")
    client.post("/api/notes", json={})
    client.post("/api/notes", data=b"x" * 70_000, content_type="application/json")
    client.get("/api/notes/mine")
    client.get("/readyz")
    lines, _ = logged()
    assert [line["status"] for line in lines] == [404, 405, 415, 400, 413, 401]
    assert all(line["request_id"] and line["duration_ms"] >= 0 for line in lines)


def test_crash_is_logged_with_its_traceback_and_its_request(client, logged):
    client.post("/api/notes/crash", json={"text": "a"}, headers={"X-Request-Id": "trace-2"})
    (crash, request), _ = logged()
    assert crash["level"] == "ERROR"
    assert "the engine room is on fire" in crash["exc_info"]
    assert crash["request_id"] == request["request_id"] == "trace-2"
    assert request["status"] == 500


def test_no_password_token_or_cookie_is_logged(client, logged, sign_in):
    ann = sign_in()
    client.set_cookie(SESSION_COOKIE, ann.token)
    body = {"text": PASSWORD}
    for path in ("/api/notes", "/api/notes/crash", "/api/notes/nope", f"/api/{PASSWORD}"):
        client.post(path, json=body, headers=ann.headers)
        client.post(path, json=body | {"other": PASSWORD, "count": PASSWORD}, headers=ann.headers)
        client.post(path, data=f"text={PASSWORD}", headers=ann.headers)
        client.post(f"{path}?token={ann.token}&password={PASSWORD}", json=body)
    client.get("/api/notes/mine", headers={"Authorization": f"Bearer {ann.token}x"})
    client.get("/api/notes/mine", headers={"Authorization": f"Basic {PASSWORD}"})
    client.get(f"/api/notes?cursor={PASSWORD}&x={PASSWORD}")
    client.get("/api/notes", headers={"X-Request-Id": f"{PASSWORD}!"})
    lines, text = logged()
    assert len(lines) > 20
    assert PASSWORD not in text
    assert ann.token not in text
    assert ann.token.split(".")[2] not in text


def test_line_break_in_a_message_adds_no_line(logged):
    logging.getLogger("probe").warning("first\nsecond")
    (line,), _ = logged()
    assert line["message"] == "first\nsecond"
