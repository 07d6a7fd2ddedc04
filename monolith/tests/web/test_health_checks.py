"""Health checks are made once for all who ask at the same time, and never by all of them."""

import json
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Thread

import pytest
from werkzeug.serving import make_server

from chassis.client.service_client import ServiceClient
from forum.web.pages.health_checks import MAX_AGE_SECONDS, TIMEOUT, HealthChecks

STAGE = ("posts",)
LONG = 10


class Clock:
    """A clock that the test moves."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


class Component:
    """A component that counts its probes, and answers while `gate` is set."""

    def __init__(self) -> None:
        self.probes = 0
        self.probed, self.gate = Event(), Event()
        self.gate.set()

    def __call__(self, environ, start_response):
        if environ["PATH_INFO"] == "/readyz":
            self.probes += 1
            self.probed.set()
            self.gate.wait(LONG)
        headers = [("Content-Type", "application/json"), ("X-Served-By", f"posts/r{self.probes}")]
        start_response("200 OK", headers)
        return [json.dumps({}).encode()]


@pytest.fixture
def component():
    return Component()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def checks(component, clock):
    server = make_server("127.0.0.1", 0, component, threaded=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}"
    yield HealthChecks("monolith/r1", dict, {"posts": ServiceClient("posts", url)}, clock)
    component.gate.set()
    server.shutdown()
    thread.join()
    server.server_close()


def revision(checks):
    [_, posts] = checks.read(STAGE)
    return posts.served_by


def test_round_is_shared_for_a_second(checks, component, clock):
    assert revision(checks) == "posts/r1"
    clock.now += MAX_AGE_SECONDS - 0.001
    assert revision(checks) == "posts/r1"
    clock.now += 0.001
    assert revision(checks) == "posts/r2"
    assert component.probes == 2


def test_round_of_another_stage_is_not_shared(checks, component):
    assert [one.name for one in checks.read(())] == ["monolith"]
    assert revision(checks) == "posts/r1"


def test_many_that_ask_at_once_cause_one_round(checks, component):
    component.gate.clear()
    with ThreadPoolExecutor(8) as pool:
        pending = [pool.submit(revision, checks) for _ in range(8)]
        assert component.probed.wait(LONG)
        component.gate.set()
        assert {one.result(LONG) for one in pending} == {"posts/r1"}
    assert component.probes == 1


def test_nobody_waits_for_a_round_that_another_began(checks, component, clock):
    revision(checks)
    component.probed.clear()
    component.gate.clear()
    clock.now += MAX_AGE_SECONDS
    with ThreadPoolExecutor(1) as pool:
        pending = pool.submit(revision, checks)
        assert component.probed.wait(LONG)
        assert revision(checks) == "posts/r1"
        assert not pending.done()
        component.gate.set()
        assert pending.result(LONG) == "posts/r2"


def test_result_too_old_to_show_is_waited_for(checks, component, clock):
    revision(checks)
    clock.now += MAX_AGE_SECONDS + TIMEOUT
    assert revision(checks) == "posts/r2"
