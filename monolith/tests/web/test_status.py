"""The status page: health of components, and status of events."""

import json
import time
from contextlib import contextmanager
from threading import Thread

import pytest
from werkzeug.serving import WSGIRequestHandler, make_server

from chassis.clock import utc_now
from chassis.messaging.dynamodb_outbox import Heartbeat
from forum.app import create_app
from forum.domains import DOMAIN_OF_EVENT_TYPE, NAMES
from forum.outbox import SqlOutbox
from forum.ownership.recorder import OutboxRecorder
from forum.ownership.state import OwnershipRegistry
from forum.web.pages.health_banner import ComponentHealth, describe_problems

WELL = {
    "outbox_age_seconds": 0.0,
    "heartbeat_age_seconds": 1.2,
    "event_lag_seconds": 0.08,
    "queue_depth": 0,
    "in_flight": 0,
    "dead_letters": 0,
}
DOWN = "http://127.0.0.1:9"


def problems(**events):
    return describe_problems([ComponentHealth("posts", ("posts",), events=WELL | events)])


def test_healthy_forum_reports_no_problems():
    assert problems() == []
    assert (
        problems(heartbeat_age_seconds=15, outbox_age_seconds=30, queue_depth=9, in_flight=3) == []
    )
    assert describe_problems([ComponentHealth("monolith", ("users", "threads", "posts"))]) == []


@pytest.mark.parametrize(
    ("events", "sentence"),
    [
        ({"heartbeat_age_seconds": 16}, "The posts worker was last seen 16 seconds ago."),
        ({"heartbeat_age_seconds": 60 * 60 * 3}, "The posts worker was last seen 3 hours ago."),
        ({"heartbeat_age_seconds": None}, "The posts worker has not started yet."),
        ({"outbox_age_seconds": 130}, "The oldest event in the posts outbox is 2 minutes old."),
        ({"queue_depth": 2, "event_lag_seconds": 31}, "posts is 31 seconds behind"),
        ({"dead_letters": 1}, "1 event is in the dead-letter queue of posts"),
        ({"dead_letters": 2}, "2 events are in the dead-letter queue of posts"),
        (
            {"queue_depth": None, "in_flight": None, "dead_letters": None},
            "The message bus is unreachable from posts.",
        ),
    ],
)
def test_each_problem_is_one_sentence(events, sentence):
    [sentence_shown] = problems(**events)
    assert sentence_shown.startswith(sentence)


def test_former_lag_is_no_problem_when_nothing_waits():
    assert problems(lag_seconds=500) == []


def test_unreachable_bus_is_one_problem():
    cut_off = WELL | {"queue_depth": None}
    names = ("monolith", "users", "posts")
    [sentence_shown] = describe_problems(
        [ComponentHealth(name, (), events=cut_off) for name in names]
    )
    assert "from monolith, users and posts." in sentence_shown


def test_component_without_event_status_is_named():
    [sentence_shown] = describe_problems([ComponentHealth("posts", ("posts",), events={})])
    assert sentence_shown == "posts did not report its event status."


@pytest.mark.parametrize(
    ("skew", "sentences"),
    [
        (0, []),
        (2, []),
        (-2, []),
        (5.7, ["The clock of posts is at least 5 seconds ahead of the monolith's."]),
        (-130, ["The clock of posts is at least 2 minutes behind the monolith's."]),
    ],
)
def test_clock_that_differs_is_one_sentence(skew, sentences):
    component = ComponentHealth("posts", ("posts",), events=WELL, clock_skew_seconds=skew)
    shown = describe_problems([component])
    assert [one.partition(" An operator")[0] for one in shown] == sentences


@contextmanager
def answering(answers, delay=0.0, ahead=0.0):
    """Run a component with these responses, by path, and a clock that is ahead; yield its URL."""

    def component(environ, start_response):
        time.sleep(delay)
        content = answers.get(environ["PATH_INFO"])
        status = "200 OK" if content is not None else "503 Service Unavailable"
        headers = [("Content-Type", "application/json"), ("X-Served-By", "posts/r1")]
        start_response(status, headers)
        return [json.dumps(content or {}).encode()]

    class Handler(WSGIRequestHandler):
        def date_time_string(self, timestamp=None):
            return super().date_time_string(time.time() + ahead)

    server = make_server("127.0.0.1", 0, component, threaded=True, request_handler=Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


READY = {"/readyz": {"status": "ready"}}


@pytest.fixture
def status(make_settings):
    def status(stage, **urls):
        app = create_app(make_settings(extracted=stage, session_private_key="", **urls))
        try:
            answer = app.test_client().get("/status")
            assert answer.status_code == 200
            return answer.text
        finally:
            app.extensions["database"].engine.dispose()

    return status


def test_page_shows_the_health_of_every_component(status, database):
    outbox = SqlOutbox(database, utc_now)
    outbox.record_heartbeat(Heartbeat(utc_now(), 0.25))
    events = WELL | {"queue_depth": 4, "in_flight": 2, "dead_letters": 1}
    with answering(READY | {"/eventz": events}) as url:
        page = status("users,posts", users_url=DOWN, posts_url=url)
    assert "posts/r1" in page
    assert "monolith/dev" in page
    assert "users service is unreachable. Registration, sign-in" in page
    assert "1 event is in the dead-letter queue" in page
    assert "<dd>6</dd>" in page
    assert "0.2 s" in page
    assert "1.2 s ago" in page
    assert " worker " not in page


@pytest.mark.parametrize("events", [{}, {"/eventz": {"outbox_seconds": 0, "waiting": 4}}])
def test_component_without_event_status_is_still_healthy(status, events):
    # Without any, or with that of an earlier revision, while a deployment rolls.
    with answering(READY | events) as url:
        page = status("users,posts", users_url=url, posts_url=url)
    assert "posts did not report its event status." in page
    assert "posts service is unreachable" not in page


def test_component_whose_clock_is_ahead_is_named(status):
    with answering(READY | {"/eventz": WELL}, ahead=3600) as url:
        page = status("users,posts", users_url=DOWN, posts_url=url)
    assert "The clock of posts is at least 59 minutes ahead of the monolith&#39;s." in page


def test_hanging_components_are_probed_in_parallel(status, monkeypatch):
    probe_seconds = 1.5  # so long that a busy machine does not matter
    monkeypatch.setattr("forum.app.PROBE_SECONDS", probe_seconds)
    with answering(READY, delay=probe_seconds + 0.5) as url:
        start = time.monotonic()
        page = status("users,threads,posts", users_url=url, threads_url=url, posts_url=url)
        took = time.monotonic() - start
    assert page.count("service is unreachable") == 3
    assert took < 3 * probe_seconds


def test_waiting_events_are_reported_without_a_bus(status, database):
    def earlier():
        return utc_now().replace(year=2025)

    with database.writing() as session:
        telling = OwnershipRegistry(database, NAMES, frozenset({"posts"}), live_extraction=False)
        recorder = OutboxRecorder("monolith", DOMAIN_OF_EVENT_TYPE, telling, earlier, lambda: "e")
        recorder.record(session, "post.created", "s", 1, {})
    page = status("users", users_url=DOWN)
    assert "The oldest event in the monolith outbox is" in page
    assert "The monolith worker has not started yet." in page
    assert "The message bus is unreachable from monolith." in page


def test_forum_of_one_component_has_no_events(client):
    page = client.get("/status").text
    assert "All components are healthy." in page
    assert "Outbox age" not in page


def test_event_status_is_served_as_json(client):
    answer = client.get("/eventz")
    assert answer.mimetype == "application/json"
    assert "Set-Cookie" not in answer.headers
    nothing = {"outbox_age_seconds": 0.0, "heartbeat_age_seconds": None, "event_lag_seconds": None}
    assert answer.json == nothing | {"queue_depth": None, "in_flight": None, "dead_letters": None}
    assert client.post("/eventz").mimetype == "application/problem+json"
