"""Calls to another component over real sockets: bounded in time, failures raised locally."""

import json
import socket
import threading
import time
from collections import Counter

import pytest

from chassis import deadline, errors
from chassis.client import circuit_breaker, connection_pool, retry_budget
from chassis.client.service_client import ServiceClient, idempotency_headers, if_match_headers
from chassis.headers import DEADLINE
from infra.runner.free_port import free_port
from tests.support.servers import Server, reply


class Answer:
    """One response; `hang_up` closes the idle connection afterwards, unannounced."""

    def __init__(self, status=200, body=b"{}", headers=(), after=0.0, hang_up=False):
        self.status, self.headers, self.after, self.hang_up = status, headers, after, hang_up
        self.body = body if isinstance(body, bytes) else json.dumps(body).encode()

    def __call__(self, request):
        time.sleep(self.after)
        reply(request, self.status, self.body, tuple(self.headers))
        request.close_connection = self.hang_up


class Script(Server):
    """A peer with scripted responses, which records its requests."""

    def __init__(self):
        super().__init__(self._answer)
        self.asked = []
        self.answers = []

    def _answer(self, request, body):
        self.asked.append((request.command, request.path, dict(request.headers), body))
        action = self.answers.pop(0) if self.answers else Answer()
        action(request)


def break_off(request):
    """Accept the request and close the connection without a response."""
    request.close_connection = True


def problem(status, headers=(), **more):
    body = {"type": "about:blank", "title": "T", "status": status, "detail": "why"} | more
    return Answer(status, body, headers)


@pytest.fixture
def server():
    with Script() as server:
        yield server


@pytest.fixture
def peer(server):
    return ServiceClient("notes", server.url)


def test_request_sends_body_and_headers_and_returns_the_response(server, peer):
    server.answers = [Answer(201, {"id": "n1"}, [("ETag", '"7"')])]
    reply = peer.request(
        "POST", "/api/notes", json={"text": "Grüße"}, token="t1", headers={"X-Probe": "1"}
    )
    assert (reply.status, reply.body, reply.version) == (201, {"id": "n1"}, 7)
    ((method, path, headers, body),) = server.asked
    assert (method, path, json.loads(body)) == ("POST", "/api/notes", {"text": "Grüße"})
    assert headers["Authorization"] == "Bearer t1"
    assert headers["Content-Type"] == "application/json"
    assert headers["X-Probe"] == "1"
    assert headers["Accept-Encoding"] == "identity"


def test_long_text_of_any_script_stays_within_64_kib(server, peer):
    peer.request("POST", "/api/notes", json={"text": "я" * 16_000})
    assert len(server.asked[0][3]) < 64 * 1024


def test_id_of_the_request_is_passed_on(server, peer, app):
    with app.test_request_context(headers={"X-Request-Id": "trace-9"}):
        app.preprocess_request()
        peer.request("GET", "/api/notes")
    assert server.asked[0][2]["X-Request-Id"] == "trace-9"


def test_response_without_a_body_has_none(server, peer):
    server.answers = [Answer(204, b"")]
    assert peer.request("DELETE", "/api/notes/n1").body is None


def test_connection_is_used_again(server, peer):
    for _ in range(5):
        peer.request("GET", "/api/notes")
    assert server.connections == 1


def test_get_on_a_closed_kept_connection_is_retried(server, peer):
    server.answers = [Answer(hang_up=True), Answer(body={"n": 2})]
    peer.request("GET", "/api/notes")
    assert peer.request("GET", "/api/notes").body == {"n": 2}


KEY = {"Idempotency-Key": "k1"}
REPEATABLE = pytest.mark.parametrize(
    ("method", "headers"), [("GET", {}), ("POST", KEY)], ids=["GET", "POST with a key"]
)


@REPEATABLE
@pytest.mark.parametrize(
    "passing",
    [break_off, problem(503, [("Retry-After", "30")]), problem(504)],
    ids=["broken", "503", "504"],
)
def test_early_failure_is_tried_three_times(server, peer, method, headers, passing):
    server.answers = [passing, passing, Answer(body={"n": 3})]
    assert peer.request(method, "/api/notes", headers=headers).body == {"n": 3}
    server.answers = [passing, passing, passing, Answer()]
    with pytest.raises(errors.Unavailable):
        peer.request(method, "/api/notes", headers=headers)
    assert len(server.asked) == 6


@REPEATABLE
def test_late_failure_is_not_retried(server, peer, method, headers):
    server.answers = [Answer(503, after=1.1), Answer()]
    with pytest.raises(errors.Unavailable):
        peer.request(method, "/api/notes", headers=headers)
    assert len(server.asked) == 1


def test_retries_wait_for_a_random_time(monkeypatch):
    assert len({retry_budget.backoff_seconds(1) for _ in range(20)}) == 20
    assert all(0 <= retry_budget.backoff_seconds(1) <= 0.1 for _ in range(100))
    assert any(0.1 < retry_budget.backoff_seconds(2) <= 0.2 for _ in range(100))


def test_retries_stay_within_a_fifth_of_the_calls(server, peer, monkeypatch):
    monkeypatch.setattr(retry_budget, "backoff_seconds", lambda retry: 0)
    # Every second try fails, so that the breaker stays closed.
    server.answers = [problem(503), Answer()] * 100
    started, failed = time.monotonic(), 0
    for _ in range(100):
        try:
            peer.request("GET", "/api/notes")
        except errors.Unavailable:
            failed += 1
    retries = len(server.asked) - 100
    allowed = (
        retry_budget.MAX_TOKENS
        + 100 * retry_budget.RETRIES_PER_REQUEST
        + (time.monotonic() - started) * retry_budget.RETRIES_PER_SECOND
    )
    assert 20 <= retries <= allowed
    assert failed > 20


@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE"])
def test_interrupted_write_is_not_retried(server, peer, method):
    server.answers = [break_off, Answer()]
    with pytest.raises(errors.Unavailable):
        peer.request(method, "/api/notes")
    assert len(server.asked) == 1


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_slow_peer_times_out_and_is_called_once(server, method):
    peer = ServiceClient("notes", server.url, read_timeout=0.3)
    server.answers = [Answer(after=2), Answer()]
    start = time.monotonic()
    with pytest.raises(errors.Unavailable) as failure:
        peer.request(method, "/api/notes")
    assert 0.25 < time.monotonic() - start < 1
    assert failure.value.detail == "Notes are temporarily unavailable."
    assert len(server.asked) == 1


def test_unaccepted_connection_is_given_up_soon():
    # The backlog of one is full, so the kernel ignores further connection attempts.
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", free_port()))
        listener.listen(0)
        with socket.create_connection(listener.getsockname()):
            peer = ServiceClient("notes", f"http://127.0.0.1:{listener.getsockname()[1]}")
            start = time.monotonic()
            with pytest.raises(errors.Unavailable):
                peer.request("GET", "/api/notes")
            assert time.monotonic() - start < 3 * connection_pool.CONNECT_TIMEOUT


def test_peer_that_is_down_is_unavailable_at_once():
    peer = ServiceClient("notes", f"http://127.0.0.1:{free_port()}")
    start = time.monotonic()
    with pytest.raises(errors.Unavailable) as failure:
        peer.request("POST", "/api/notes", json={})
    assert time.monotonic() - start < 1
    assert failure.value.retry_after > 0


def test_cookies_of_a_call_are_not_sent_with_the_next(server, peer):
    cookies = [("Set-Cookie", "forum_session=ann; Path=/"), ("Set-Cookie", "a=b; Domain=127.0.0.1")]
    server.answers = [Answer(headers=cookies), problem(404, cookies), Answer(), Answer()]
    peer.request("GET", "/api/notes")
    with pytest.raises(errors.NotFound):
        peer.request("GET", "/api/notes/n1")
    peer.request("GET", "/api/notes")
    peer.request("POST", "/api/notes", json={})
    assert not any("Cookie" in headers for _, _, headers, _ in server.asked)


def test_proxy_and_netrc_of_the_environment_are_ignored(server, peer, monkeypatch, tmp_path):
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login ann password p\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    peer.request("GET", "/api/notes")
    assert "Authorization" not in server.asked[0][2]


def test_redirect_is_not_followed(server, peer):
    server.answers = [Answer(302, headers=[("Location", "/elsewhere")])]
    with pytest.raises(errors.Unavailable):
        peer.request("GET", "/api/notes")
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("status", "failure"),
    [
        (401, errors.Unauthenticated),
        (403, errors.Forbidden),
        (404, errors.NotFound),
        (409, errors.Conflict),
        (412, errors.PreconditionFailed),
        (422, errors.IdempotencyKeyReused),
        (418, errors.Unavailable),
        (413, errors.Unavailable),
        (500, errors.Unavailable),
        (503, errors.Unavailable),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_problem_of_the_peer_is_raised_as_the_same_exception(server, peer, status, failure, method):
    headers = [("Retry-After", "30")] if status in {413, 503} else []
    server.answers = [problem(status, headers, type="urn:problem:probe")] * 3
    with pytest.raises(failure) as raised:
        peer.request(method, "/api/notes")
    assert type(raised.value) is failure
    if status in {401, 403, 404, 409}:
        assert (raised.value.detail, raised.value.problem_type) == ("why", "urn:problem:probe")
    assert len(server.asked) == (3 if (status, method) == (503, "GET") else 1)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_rate_limit_carries_retry_after(server, peer, method):
    server.answers = [problem(429, [("Retry-After", "17")]), problem(429)]
    for seconds in (17, 60):
        with pytest.raises(errors.RateLimited) as raised:
            peer.request(method, "/api/notes")
        assert raised.value.retry_after == seconds


def test_bad_input_names_its_fields(server, peer):
    fields = [{"field": "text", "message": "is odd"}, {"field": "", "message": "is wrong"}]
    server.answers = [problem(400, errors=fields)]
    with pytest.raises(errors.Invalid) as raised:
        peer.request("POST", "/api/notes", json={})
    assert raised.value.errors == (
        errors.FieldError("text", "is odd"),
        errors.FieldError("", "is wrong"),
    )


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        b"[]",
        b'"x"',
        b"\xff",
        b"",
        b"[" * 20_000,
        b'{"errors": 1}',
        b'{"errors": null}',
        b'{"errors": [1]}',
        b'{"errors": {"a": 1}}',
    ],
)
@pytest.mark.parametrize("status", [400, 404, 500])
def test_error_in_another_format_is_still_a_failure(server, peer, body, status):
    server.answers = [Answer(status, body)]
    with pytest.raises(errors.Failure):
        peer.request("GET", "/api/notes")


@pytest.mark.parametrize("body", [b"<html>", b"\xff", b"{", b"[" * 20_000])
def test_response_without_json_is_unavailable(server, peer, body):
    server.answers = [Answer(200, body)]
    with pytest.raises(errors.Unavailable):
        peer.request("GET", "/api/notes")


def test_many_callers_share_a_peer(server, peer):
    seen = Counter()

    def call(number):
        seen[peer.request("POST", "/api/notes", json={"n": number}).status] += 1

    callers = [threading.Thread(target=call, args=(n,)) for n in range(40)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert seen == {200: 40}
    assert sorted(json.loads(body)["n"] for *_, body in server.asked) == list(range(40))


def test_edits_and_repeated_writes_have_headers(app):
    assert idempotency_headers(None) == {}
    assert if_match_headers(None) == {}
    assert if_match_headers(frozenset({4, 3})) == {"If-Match": '"3", "4"'}
    assert if_match_headers(frozenset()) == {"If-Match": '""'}


@pytest.mark.parametrize("body", [[], {}, {"n": "x"}, {"n": None}, "text", None, 7])
def test_unparsable_response_is_unavailable(server, peer, body):
    server.answers = [Answer(200, body)]
    answered = peer.request("GET", "/api/notes")
    with pytest.raises(errors.Unavailable) as failure:
        answered.parse(lambda reply: int(reply.body["n"]) + reply.version)
    assert failure.value.detail == "Notes are temporarily unavailable (invalid response)."
    assert peer.circuit_state == "closed"


@pytest.mark.parametrize("etag", ['"4"', f'"4-{"0" * 24}"'])
def test_response_is_parsed(server, peer, etag):
    # Of an earlier revision, which runs for a while beside this one, and of this one.
    server.answers = [Answer(200, {"n": 3}, [("ETag", etag)])]
    assert (
        peer.request("GET", "/api/notes").parse(lambda reply: reply.body["n"] + reply.version) == 7
    )


@pytest.mark.parametrize("status", [200, 302, 503])
def test_slow_trickle_does_not_exceed_the_timeout(server, status):
    def trickle(request):
        request.send_response(status)
        request.send_header("Location", "/elsewhere")
        request.send_header("Content-Length", "100")
        request.end_headers()
        for _ in range(100):
            request.wfile.write(b" ")
            request.wfile.flush()
            time.sleep(0.1)

    server.answers = [trickle, Answer()]
    peer = ServiceClient("notes", server.url, read_timeout=0.5)
    start = time.monotonic()
    with pytest.raises(errors.Unavailable):
        peer.request("GET", "/api/notes")
    assert time.monotonic() - start < 1
    assert len(server.asked) == 1
    peer.request("GET", "/api/notes")


def test_connections_are_bounded_and_callers_wait_for_one(server):
    peer = ServiceClient("notes", server.url, connections=2)
    server.answers = [Answer(after=0.2) for _ in range(6)]
    callers = [threading.Thread(target=peer.request, args=("GET", "/api/notes")) for _ in range(6)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert (len(server.asked), server.connections) == (6, 2)


def test_wait_for_a_connection_is_short(server):
    peer = ServiceClient("notes", server.url, connections=1)
    server.answers = [Answer(after=2)]
    caller = threading.Thread(target=peer.request, args=("GET", "/api/notes"))
    caller.start()
    while not server.asked:
        time.sleep(0.01)
    start = time.monotonic()
    for _ in range(2):
        with pytest.raises(errors.Unavailable):
            peer.request("GET", "/api/notes")
    assert time.monotonic() - start < 3 * connection_pool.POOL_TIMEOUT
    caller.join()
    assert (len(server.asked), peer.circuit_state) == (1, "closed")


def test_peer_that_is_down_costs_no_time_after_five_failures(caplog):
    peer = ServiceClient("notes", f"http://127.0.0.1:{free_port()}")
    for _ in range(circuit_breaker.FAILURE_THRESHOLD):
        assert peer.circuit_state == "closed"
        with pytest.raises(errors.Unavailable):
            peer.request("POST", "/api/notes", json={})
    assert peer.circuit_state == "open"
    start, spent = time.monotonic(), time.thread_time()
    for _ in range(100):
        with pytest.raises(errors.Unavailable):
            peer.request("GET", "/api/notes")
    # CPU time, because on a busy machine any process may wait.
    assert time.thread_time() - spent < 0.1
    assert time.monotonic() - start < circuit_breaker.OPEN_SECONDS
    (record,) = [
        record for record in caplog.records if record.name == "chassis.client.circuit_breaker"
    ]
    assert (record.message, record.peer) == ("peer is down", "notes")


@pytest.mark.parametrize(
    "failing", [break_off, Answer(500), problem(503)], ids=["broken", "500", "503"]
)
def test_only_consecutive_failures_open_the_breaker(server, peer, failing):
    server.answers = [*[failing] * 4, Answer(404, {}), *[failing] * 5, Answer()]
    for _ in range(10):
        assert peer.circuit_state == "closed"
        with pytest.raises(errors.Failure):
            peer.request("DELETE", "/api/notes/n1")
    assert peer.circuit_state == "open"
    with pytest.raises(errors.Unavailable):
        peer.request("DELETE", "/api/notes/n1")
    assert len(server.asked) == 10


def test_slow_responses_open_the_breaker_too(server):
    peer = ServiceClient("notes", server.url, read_timeout=0.1)
    server.answers = [Answer(after=0.3) for _ in range(5)]
    for _ in range(5):
        with pytest.raises(errors.Unavailable):
            peer.request("POST", "/api/notes", json={})
    assert peer.circuit_state == "open"


def test_client_errors_of_the_peer_keep_the_breaker_closed(server, peer):
    server.answers = [problem(status) for status in (400, 401, 403, 404, 409, 412, 422, 429)] * 2
    for _ in range(16):
        with pytest.raises(errors.Failure):
            peer.request("POST", "/api/notes", json={})
    assert peer.circuit_state == "closed"


def test_one_call_probes_whether_the_peer_is_back(server, peer, caplog):
    caplog.set_level("INFO", logger="chassis.client.circuit_breaker")
    server.answers = [Answer(500)] * 6
    for _ in range(5):
        with pytest.raises(errors.Unavailable):
            peer.request("POST", "/api/notes", json={})
    time.sleep(circuit_breaker.OPEN_SECONDS + 0.05)
    for _ in range(3):  # the first fails, and the others have to wait again
        with pytest.raises(errors.Unavailable):
            peer.request("POST", "/api/notes", json={})
    assert (len(server.asked), peer.circuit_state) == (6, "open")
    time.sleep(circuit_breaker.OPEN_SECONDS + 0.05)
    server.answers = [Answer(after=0.3), *[Answer() for _ in range(5)]]
    trial = threading.Thread(target=peer.request, args=("POST", "/api/notes"))
    trial.start()
    while len(server.asked) < 7:
        time.sleep(0.01)
    assert peer.circuit_state == "half-open"
    with pytest.raises(errors.Unavailable):
        peer.request("GET", "/api/notes")
    trial.join()
    assert peer.circuit_state == "closed"
    peer.request("GET", "/api/notes")
    assert len(server.asked) == 8
    assert [
        record.message
        for record in caplog.records
        if record.name == "chassis.client.circuit_breaker"
    ] == [
        "peer is down",
        "peer recovered",
    ]


def test_calls_do_not_block_each_other(server, peer):
    server.answers = [Answer(after=1) for _ in range(8)]
    callers = [threading.Thread(target=peer.request, args=("GET", "/api/notes")) for _ in range(8)]
    start = time.monotonic()
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert time.monotonic() - start < 2


def test_call_waits_no_longer_than_the_deadline(server, peer):
    server.answers = [Answer(after=2), Answer()]
    start = time.monotonic()
    with deadline.limit(0.4), pytest.raises(errors.Unavailable):
        peer.request("GET", "/api/notes")
    assert 0.35 < time.monotonic() - start < 0.8
    assert len(server.asked) == 1


def test_remaining_deadline_is_passed_on(server, peer):
    peer.request("GET", "/api/notes")
    with deadline.limit(2):
        peer.request("GET", "/api/notes")
    with deadline.limit(60):
        peer.request("GET", "/api/notes")
    deadlines = [int(headers[DEADLINE]) for _, _, headers, _ in server.asked]
    # 3950: the call itself has a timeout of 4 s, independent of the request's deadline.
    assert (deadlines[0], deadlines[2]) == (3950, 3950)
    assert 1500 < deadlines[1] <= 1950


def test_expired_deadline_makes_no_call(server, peer):
    with deadline.limit(0.01), pytest.raises(errors.Unavailable):
        peer.request("GET", "/api/notes")
    assert (server.asked, peer.circuit_state) == ([], "closed")


def test_short_deadlines_do_not_open_the_breaker(server, peer):
    server.answers = [Answer(after=0.2), Answer(500), break_off] * 3
    for _ in range(9):
        with deadline.limit(0.15), pytest.raises(errors.Unavailable):
            peer.request("POST", "/api/notes")
    assert (len(server.asked), peer.circuit_state) == (9, "closed")


def test_short_deadline_leaves_the_breaker_open(server, peer):
    server.answers = [Answer(500)] * 5 + [Answer(after=0.3)]
    for _ in range(5):
        with pytest.raises(errors.Unavailable):
            peer.request("POST", "/api/notes", json={})
    time.sleep(circuit_breaker.OPEN_SECONDS + 0.05)
    with deadline.limit(0.15), pytest.raises(errors.Unavailable):
        peer.request("POST", "/api/notes", json={})
    assert (len(server.asked), peer.circuit_state) == (6, "open")
