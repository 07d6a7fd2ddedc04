"""Logs are a line each, JSON or text, without secrets."""

import logging
import re

from chassis.http.app import MAX_BODY
from tests.support.people import SESSION_COOKIE

PASSWORD = "correct-horse-battery"
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def test_request_is_one_line_with_all_its_fields(client, logged):
    client.get("/api/notes/some-id?x=1", headers={"X-Request-Id": "trace-1"})
    (line,), _ = logged()
    milliseconds = line.pop("duration_ms")
    assert 0 <= milliseconds < 1000
    assert TIME.fullmatch(line.pop("time"))
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
    client.post("/api/notes", data=b"x" * (MAX_BODY + 1), content_type="application/json")
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


def test_request_as_text_is_one_line_with_all_its_fields(client, logged_text):
    client.get("/api/notes/some-id?x=1", headers={"X-Request-Id": "trace-1"})
    time, _, rest = logged_text().partition(" ")
    assert TIME.fullmatch(time)
    assert re.fullmatch(
        r"INFO access: request method=GET route=/api/notes/<id:note_id> status=200"
        r" duration_ms=\d+\.\d request_id=trace-1\n",
        rest,
    )


def test_value_in_a_text_line_cannot_imitate_a_field_or_a_line(logged_text):
    logger = logging.getLogger("probe")
    logger.warning("first\nsecond", extra={"one": "a b=c", "two": 'd"\n', "three": None})
    _, _, rest = logged_text().partition(" ")
    assert rest == 'WARNING probe: first\\nsecond one="a b=c" two="d\\"\\n"\n'


def test_traceback_follows_its_text_line(client, logged_text):
    client.post("/api/notes/crash", json={"text": "a"}, headers={"X-Request-Id": "trace-2"})
    crash, *traceback, request = logged_text().splitlines()
    assert "ERROR" in crash
    assert crash.endswith("request_id=trace-2")
    assert traceback[0] == "Traceback (most recent call last):"
    assert "status=500" in request
