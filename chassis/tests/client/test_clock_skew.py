"""Clocks that differ are reported from the Date headers of responses, and never without proof."""

import time
from email.utils import formatdate

import pytest

from chassis.client.clock_skew import WARNING_INTERVAL, ClockSkew
from chassis.client.service_client import ServiceClient
from tests.support.instances import instance
from tests.support.servers import Server, reply

DATE = 1_800_000_000


class Clock:
    """A clock that a test sets."""

    now = float(DATE)

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def skew(clock):
    return ClockSkew("notes", clock)


def warnings(logged):
    lines, _ = logged()
    return [
        (line["peer"], line["peer_clock"], line["clock_skew_seconds"])
        for line in lines
        if line["message"] == "clocks differ"
    ]


@pytest.mark.parametrize(
    ("sent", "received", "proven", "reported"),
    [
        (0, 0.5, 0, []),
        (0.9, 1, 0, []),  # the peer made the response in the second that began at DATE
        (-30, 30, 0, []),  # slow, so it proves nothing
        (-2.5, -2, 2, []),
        (-2.75, -2.25, 2.25, [("notes", "ahead", 2.25)]),
        (3, 3.5, -2, []),
        (3.25, 9, -2.25, [("notes", "behind", 2.25)]),
    ],
)
def test_difference_is_what_the_response_proves(skew, logged, sent, received, proven, reported):
    skew.record(formatdate(DATE, usegmt=True), DATE + sent, DATE + received)
    assert skew.seconds == proven
    assert warnings(logged) == reported


@pytest.mark.parametrize("date", [None, "", "yesterday", "Fri, 99 Nov 2026 10:00:00 GMT"])
def test_response_without_a_readable_date_proves_nothing(skew, logged, date):
    skew.record(date, 0.0, 0.0)
    assert (skew.seconds, warnings(logged)) == (0, [])


def test_clock_that_is_set_right_is_forgotten(skew):
    skew.record(formatdate(DATE + 60, usegmt=True), DATE, DATE)
    assert skew.seconds == 60
    skew.record(formatdate(DATE, usegmt=True), DATE, DATE)
    assert skew.seconds == 0


def test_warning_comes_at_most_once_a_minute(skew, clock, logged):
    def warned_at(moment):
        clock.now = DATE + moment
        skew.record(formatdate(clock.now + 60, usegmt=True), clock.now, clock.now)
        return len(warnings(logged))

    assert [warned_at(at) for at in (0, 1, WARNING_INTERVAL - 1)] == [1, 0, 0]
    assert [warned_at(at) for at in (WARNING_INTERVAL, WARNING_INTERVAL + 1)] == [1, 0]
    # Set back by an hour, which must not silence the warnings for an hour.
    assert warned_at(-3600) == 1


def test_client_compares_clocks_with_each_response(clock, logged):
    def answer(request, _):
        request.date_time_string = lambda: formatdate(DATE, usegmt=True)
        reply(request, 200, b"{}")

    with Server(answer) as server:
        peer = ServiceClient("notes", server.url, now=clock)
        peer.request("GET", "/api/notes")
        assert peer.clock_skew_seconds == 0
        clock.now += 5
        peer.request("GET", "/api/notes")
    assert peer.clock_skew_seconds == -4
    assert warnings(logged) == [("notes", "behind", 4)]


@pytest.mark.parametrize("ahead", [0, 60])
def test_component_under_gunicorn_can_be_compared(tmp_path, logged, ahead):
    settings = {"NOTES_FILE": str(tmp_path / "notes"), "WEB_CONCURRENCY": "1"}
    with instance("tests.support.sample_app:app", settings) as running:
        peer = ServiceClient("notes", running.url, now=lambda: time.time() + ahead)
        peer.request("GET", "/healthz")
    # Within a second of the truth, less the time of the call.
    assert -ahead <= peer.clock_skew_seconds <= -ahead / 2
    assert len(warnings(logged)) == bool(ahead)
