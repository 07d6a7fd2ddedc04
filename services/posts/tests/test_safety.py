"""Safety: HTML of posts is inert, and logs contain no secrets."""

import re

from tests.support.people import SESSION_COOKIE
from tests.support.service import walk
from tests.support.xss import VECTORS, faults

PATH = "/api/posts"
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


def test_attacks_stay_inert_when_written_and_when_rewritten(client, ada, thread, write):
    taken = [vector for vector in VECTORS if not CONTROL.search(vector)]
    for vector in taken:
        write(vector)
    posts = walk(client, f"{PATH}/in-thread/{thread}", limit=100)
    assert [post["body"] for post in posts] == taken
    assert [post["body"] for post in posts if faults(post["html"])] == []
    path = f"{PATH}/{posts[0]['id']}"
    for vector in VECTORS:
        changed = client.patch(path, json={"body": vector}, headers=ada.headers)
        if vector not in taken:
            assert changed.status_code == 400
            continue
        assert changed.status_code == 200
        assert faults(changed.json["html"]) == []


def test_name_is_returned_as_plain_text(client, sign_in, write):
    write("Hello", sign_in("<script>alert(1)</script>"))
    answer = client.get(PATH)
    assert answer.content_type == "application/json"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    name = answer.json["items"][0]["author"]["display_name"]
    assert name == "<script>alert(1)</script>"


def test_logs_hold_no_token_no_cookie_and_no_text(client, ada, threads, write, logged):
    path = f"{PATH}/{write('my password is hunter2')}"
    client.set_cookie(SESSION_COOKIE, ada.token)
    client.patch(path, json={"body": "it was hunter2"})
    client.patch(path, json={"body": "hunter2", "password": "hunter2"})
    client.patch(f"{path}?token={ada.token}", json={"body": "hunter2"}, headers=ada.headers)
    client.get(f"{PATH}?cursor=hunter2")
    client.get(f"{PATH}/hunter2")
    client.delete(path, headers={"Authorization": f"Bearer {ada.token}hunter2"})
    unknown = threads.begin()
    threads.stop()
    client.post(PATH, json={"thread_id": unknown, "body": "hunter2"})
    client.delete(path)
    lines, text = logged()
    requests = [line for line in lines if line["logger"] == "access"]
    assert [line["status"] for line in requests] == [201, 200, 400, 200, 400, 404, 401, 503, 204]
    fields = {"time", "level", "component", "request_id", "method", "route", "duration_ms"}
    assert all(fields <= line.keys() for line in requests)
    assert "hunter2" not in text
    assert ada.token.rpartition(".")[2] not in text
