"""Deadlines: read from the caller, bounded, and passed on to every call."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

import pytest
from flask import Flask, g, request

from chassis import deadline
from chassis.dynamodb.database import Database
from chassis.dynamodb.tables import Table
from chassis.errors import Unavailable
from chassis.headers import DEADLINE
from chassis.http import app as web
from tests.support.people import SECRET_KEY


@pytest.fixture
def app() -> Flask:
    app = web.create_app("notes", "r1", {}, secret=SECRET_KEY)

    @app.get("/left")
    def left():
        return {"left": deadline.remaining_seconds()}

    @app.get("/elsewhere")
    def elsewhere():
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(
                copy_context().run,
                lambda: (deadline.remaining_seconds(), request.path, g.request_id),
            )
            seconds, path, request_id = asked.result()
        return {"left": seconds, "path": path, "id": request_id}

    @app.get("/late")
    def late():
        time.sleep(0.05)
        deadline.require_time()
        return {}

    return app


def seconds_left(client, given=None):
    headers = {} if given is None else {DEADLINE: given}
    return client.get("/left", headers=headers).json["left"]


def test_default_deadline_is_ten_seconds(client):
    assert 9.5 < seconds_left(client) <= 10


def test_caller_can_shorten_the_deadline(client):
    assert 2 < seconds_left(client, "2500") <= 2.5
    assert 9.5 < seconds_left(client, "10000") <= 10
    assert seconds_left(client, "1") <= 0.001


def test_client_behind_a_load_balancer_has_no_influence_on_the_deadline(client):
    headers = {DEADLINE: "1", "X-Forwarded-Port": "443"}
    assert 9.5 < client.get("/left", headers=headers).json["left"] <= 10


@pytest.mark.parametrize(
    "given",
    ["0", "10001", "99999999999", "-5", "1.5", "1e3", "", "x", "٣٠٠", "2500, 3", " ", "0x9"],
)
def test_invalid_deadline_is_ignored(client, given):
    assert 9.5 < seconds_left(client, given) <= 10


def test_consecutive_requests_have_separate_deadlines(client):
    assert seconds_left(client, "50") < 0.06
    time.sleep(0.1)
    assert seconds_left(client) > 9.5
    assert deadline.remaining_seconds() is None


def test_no_deadline_exists_outside_of_a_request():
    assert deadline.remaining_seconds() is None
    deadline.require_time()


def test_new_thread_inherits_no_deadline():
    seen = []
    with deadline.limit(5):
        thread = threading.Thread(target=lambda: seen.append(deadline.remaining_seconds()))
        thread.start()
        thread.join()
    assert seen == [None]


def test_helper_thread_inherits_deadline_and_request_id(client):
    headers = {DEADLINE: "3000", "X-Request-Id": "trace-9"}
    seen = client.get("/elsewhere", headers=headers).json
    assert 2.5 < seen["left"] <= 3
    assert (seen["path"], seen["id"]) == ("/elsewhere", "trace-9")


def test_inner_deadline_never_outlasts_the_outer():
    with deadline.limit(1):
        with deadline.limit(5):
            assert deadline.remaining_seconds() <= 1
        with deadline.limit(0.1):
            assert deadline.remaining_seconds() <= 0.1
        assert 0.5 < deadline.remaining_seconds() <= 1


def test_request_past_its_deadline_is_503(client):
    answer = client.get("/late", headers={DEADLINE: "20"})
    assert (answer.status_code, answer.json["detail"]) == (503, "The request timed out.")
    assert answer.headers["Retry-After"]
    assert client.get("/late").status_code == 200


NOTES = Table("notes", "id")


def test_expired_deadline_makes_no_call_to_the_datastore():
    class Client:
        asked = 0

        def get_item(self, **_):
            self.asked += 1

    client = Client()
    database = Database(client, "t-")
    with deadline.limit(0), pytest.raises(Unavailable):
        database.check_table(NOTES)
    database.check_table(NOTES)
    assert client.asked == 1
