"""The gateway beyond routing: retries, its own responses, request ids, logs."""

import json
import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.client import HTTPResponse
from pathlib import Path

import pytest

from chassis import deadline, headers
from infra import stages
from infra.gateway import process as renderer
from infra.gateway import routes
from infra.gateway.configuration import Address, GatewayConfig, render
from infra.gateway.http_manager import ROUTE_TIMEOUT
from infra.runner.free_port import free_port
from infra.tests.gateway.upstreams import Behaviour, Running, Upstream, running, serving, unready

USERS = frozenset({"users"})
LOCAL = Address("127.0.0.1", 1)


@contextmanager
def setting(
    folder: Path, behaviour: Behaviour, log_format: str = "json"
) -> Iterator[tuple[Running, Upstream]]:
    """Run a gateway in front of a users service that behaves that way."""
    with ExitStack() as stack:
        users = stack.enter_context(serving(Upstream("users", behaviour)))
        ports = {"monolith": free_port(), "users": users.port}
        yield stack.enter_context(running(USERS, ports, folder, log_format=log_format)), users


@contextmanager
def pair(folder: Path, first: Upstream, second: Upstream) -> Iterator[Running]:
    """Run a gateway in front of two instances of the users service."""
    with ExitStack() as stack:
        both = [stack.enter_context(serving(each)).port for each in (first, second)]
        ports: dict[str, int | list[int]] = {"monolith": free_port(), "users": both}
        yield stack.enter_context(running(USERS, ports, folder))


def until(state: Callable[[], bool], seconds: float) -> float:
    """Wait for a state; return the elapsed seconds."""
    started = time.monotonic()
    while not state():
        assert time.monotonic() - started < seconds
        time.sleep(0.02)
    return time.monotonic() - started


def first(count: int, action: str) -> Behaviour:
    return lambda _upstream, number: action if number <= count else "answer"


def assert_problem(response: HTTPResponse, body: bytes, status: int, title: str) -> None:
    assert response.status == status
    assert response.headers["Content-Type"] == "application/problem+json"
    problem = json.loads(body)
    assert problem.keys() == {"type", "title", "status", "detail"}
    assert (problem["type"], problem["status"], problem["title"]) == ("about:blank", status, title)
    assert response.headers["X-Request-Id"]
    assert response.headers["X-Served-By"] == "gateway/test"
    assert "Server" not in response.headers


@pytest.mark.parametrize("host", [b"", b"Host: forum\r\n"])
def test_http_1_0_is_served(tmp_path: Path, host: bytes) -> None:
    with (
        setting(tmp_path, lambda _upstream, _number: "answer") as (gateway, _),
        socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as connection,
    ):
        connection.sendall(b"GET /api/users HTTP/1.0\r\n%b\r\n" % host)
        response = HTTPResponse(connection)
        response.begin()
        assert response.status == 200
        assert response.read()


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_read_is_tried_three_times(tmp_path: Path, method: str) -> None:
    with setting(tmp_path, first(2, "drop")) as (gateway, users):
        response, _ = gateway.ask("/api/users", method)
        assert response.status == 200
        assert users.received == [(method, "/api/users")] * 3


def test_read_is_given_up_after_three_tries(tmp_path: Path) -> None:
    with setting(tmp_path, first(9, "drop")) as (gateway, users):
        response, body = gateway.ask("/api/users")
        assert_problem(response, body, 503, "Service Unavailable")
        assert response.headers["Retry-After"] == "2"
        assert len(users.received) == 3


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_write_is_sent_once(tmp_path: Path, method: str) -> None:
    with setting(tmp_path, first(9, "drop")) as (gateway, users):
        response, body = gateway.ask("/api/users", method, body=b"{}")
        assert_problem(response, body, 503, "Service Unavailable")
        assert response.headers["Retry-After"] == "2"
        assert len(users.received) == 1


def test_clients_cannot_control_retries_or_timeouts(tmp_path: Path) -> None:
    asked = {
        "x-envoy-retry-on": "reset",
        "x-envoy-max-retries": "5",
        "x-envoy-upstream-rq-timeout-ms": "1",
    }
    with setting(tmp_path, first(1, "drop")) as (gateway, users):
        assert gateway.ask("/api/users", "POST", headers=asked)[0].status == 503
        assert len(users.received) == 1
        _, body = gateway.ask("/api/users", headers=asked)
        assert not asked.keys() & json.loads(body)["headers"].keys()


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_instance_that_is_not_ready_gets_no_requests(tmp_path: Path, method: str) -> None:
    one, two = Upstream("one"), Upstream("two")
    with pair(tmp_path, one, two) as gateway:
        for _ in range(10):
            assert gateway.ask("/api/users", method)[0].status == 200
        assert len(one.received) == len(two.received) == 5
        unready(one)
        for _ in range(10):
            assert gateway.ask("/api/users", method)[0].status == 200
        assert (len(one.received), len(two.received)) == (5, 15)
        # Without another instance it still gets requests, and returns its own error.
        unready(two)
        for _ in range(10):
            assert gateway.ask("/api/users", method)[0].status == 200
        assert (len(one.received), len(two.received)) == (10, 20)


def test_only_instance_gets_requests_even_if_not_ready(tmp_path: Path) -> None:
    with setting(tmp_path, first(0, "answer")) as (gateway, users):
        unready(users)
        assert gateway.ask("/api/users", "POST")[0].status == 200


def test_read_is_tried_on_another_instance(tmp_path: Path) -> None:
    one, two = Upstream("one", first(99, "drop")), Upstream("two")
    with pair(tmp_path, one, two) as gateway:
        for count in range(1, 11):
            assert gateway.ask("/api/users")[0].status == 200
            assert len(two.received) == count
        assert len(one.received) >= 5


def test_refused_write_is_sent_to_another_instance(tmp_path: Path) -> None:
    one, two = Upstream("one"), Upstream("two")
    with serving(two), ExitStack() as stack:
        stack.enter_context(serving(one))
        ports: dict[str, int | list[int]] = {
            "monolith": free_port(),
            "users": [one.port, two.port],
        }
        with running(USERS, ports, tmp_path) as gateway:
            stack.close()
            for _ in range(10):
                assert gateway.ask("/api/users", "POST", body=b"{}")[0].status == 200
            assert (len(one.received), len(two.received)) == (0, 10)


def test_write_received_by_an_instance_is_not_sent_to_another(tmp_path: Path) -> None:
    one, two = Upstream("one", first(99, "drop")), Upstream("two", first(99, "drop"))
    with pair(tmp_path, one, two) as gateway:
        for _ in range(10):
            assert gateway.ask("/api/users", "POST", body=b"{}")[0].status == 503
        assert len(one.received) + len(two.received) == 10


def test_component_that_starts_is_found_within_a_second(tmp_path: Path) -> None:
    users = Upstream("users", port=free_port())
    ports = {"monolith": free_port(), "users": users.port}
    with running(USERS, ports, tmp_path) as gateway:
        assert gateway.ask("/api/users")[0].status == 503
        for _ in range(2):  # at first, and after it went away
            with serving(users):
                assert until(lambda: gateway.ask("/api/users")[0].status == 200, 3) < 1
            assert gateway.ask("/api/users")[0].status == 503


def test_component_back_after_a_short_outage_is_used_at_once(tmp_path: Path) -> None:
    users = Upstream("users", port=free_port())
    ports = {"monolith": free_port(), "users": users.port}

    def given_up() -> bool:
        """Return whether the gateway fails without a try; otherwise it tries three times."""
        started = time.monotonic()
        return gateway.ask("/api/users")[0].status == 503 and time.monotonic() - started < 0.01

    with running(USERS, ports, tmp_path) as gateway:
        for _ in range(3):
            with serving(users):
                until(lambda: gateway.ask("/api/users")[0].status == 200, 3)
            until(given_up, 10)
            with serving(users):
                assert until(lambda: gateway.ask("/api/users")[0].status == 200, 3) < 0.8


def test_component_that_hangs_fails_fast(tmp_path: Path) -> None:
    with ExitStack() as stack:
        # It accepts connections but never responds.
        hung = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        ports = {"monolith": free_port(), "users": hung.getsockname()[1]}
        gateway = stack.enter_context(running(USERS, ports, tmp_path))
        started = time.monotonic()
        response, body = gateway.ask("/api/users")
        assert_problem(response, body, 503, "Service Unavailable")
        assert time.monotonic() - started < 1


def test_deadline_header_of_a_client_is_removed(tmp_path: Path) -> None:
    with setting(tmp_path, first(0, "answer")) as (gateway, _):
        _, body = gateway.ask("/api/users", headers={headers.DEADLINE: "1"})
        received = json.loads(body)["headers"]
        assert headers.DEADLINE.lower() not in {name.lower() for name in received}
    assert float(ROUTE_TIMEOUT.removesuffix("s")) > deadline.MAX_SECONDS


def test_requests_of_clients_are_marked_as_an_alb_marks_them(tmp_path: Path) -> None:
    with setting(tmp_path, first(0, "answer")) as (gateway, _):
        for given in ({}, {headers.FORWARDED_PORT: "1"}):
            _, body = gateway.ask("/api/users", headers=given)
            received = {key.lower(): value for key, value in json.loads(body)["headers"].items()}
            assert received[headers.FORWARDED_PORT.lower()] == str(gateway.port)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_component_that_is_down_is_a_503(tmp_path: Path, method: str) -> None:
    with running(USERS, {"monolith": free_port(), "users": free_port()}, tmp_path) as gateway:
        for path in ("/", "/api/users"):
            response, body = gateway.ask(path, method)
            assert_problem(response, body, 503, "Service Unavailable")
            assert response.headers["Retry-After"] == "2"


def test_browser_gets_an_error_page_without_the_monolith(tmp_path: Path) -> None:
    browser = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    with running(USERS, {"monolith": free_port(), "users": free_port()}, tmp_path) as gateway:
        response, body = gateway.ask("/threads/1", headers=browser)
        assert response.status == 503
        assert response.headers["Content-Type"] == "text/html; charset=utf-8"
        assert response.headers["X-Served-By"] == "gateway/test"
        assert int(response.headers["Retry-After"]) >= 1
        assert "<h1>The forum is temporarily unavailable</h1>" in body.decode()
        for path in ("/api/users", "/api/search"):
            response, body = gateway.ask(path, headers=browser)
            assert_problem(response, body, 503, "Service Unavailable")


def test_component_that_hangs_is_a_504_after_15_seconds(tmp_path: Path) -> None:
    with setting(tmp_path, first(9, "hang")) as (gateway, users):
        started = time.monotonic()
        response, body = gateway.ask("/api/users")
        assert_problem(response, body, 504, "Gateway Timeout")
        assert 14 < time.monotonic() - started < 18
        assert len(users.received) == 1


def test_request_that_is_too_large_is_refused(tmp_path: Path) -> None:
    with setting(tmp_path, first(0, "answer")) as (gateway, users):
        response, _ = gateway.ask("/api/users", "POST", body=b"x" * 1_000_000)
        assert response.status == 200
        response, body = gateway.ask("/api/users", "POST", body=b"x" * 1_100_000)
        assert response.status == json.loads(body)["status"] == 413
        response, body = gateway.ask("/api/users", headers={"big": "x" * 33_000})
        assert response.status == json.loads(body)["status"] == 431
        assert len(users.received) == 1


def test_request_gets_one_id_for_all_components_and_logs(tmp_path: Path) -> None:
    with setting(tmp_path, first(0, "answer")) as (gateway, _):
        response, body = gateway.ask("/api/users")
        given = response.headers["X-Request-Id"]
        assert len(given) == 36
        assert json.loads(body)["headers"]["x-request-id"] == given
        assert gateway.logged(1)[0]["request_id"] == given


@pytest.mark.parametrize("sane", ["abc-1.2_3", "x" * 64, "7b4b4b5e-3a56-4f0e-9c39-1f7ac6d5a001"])
def test_valid_request_id_is_kept(tmp_path: Path, sane: str) -> None:
    with setting(tmp_path, first(0, "answer")) as (gateway, _):
        response, body = gateway.ask("/api/users", headers={"X-Request-Id": sane})
        assert response.headers["X-Request-Id"] == sane
        assert json.loads(body)["headers"]["x-request-id"] == sane


@pytest.mark.parametrize("odd", ["a b", "x" * 65, 'a","b', "<script>", "{${x}}"])
def test_invalid_request_id_is_replaced(tmp_path: Path, odd: str) -> None:
    with setting(tmp_path, first(0, "answer")) as (gateway, _):
        response, body = gateway.ask("/api/users", headers={"X-Request-Id": odd})
        given = response.headers["X-Request-Id"]
        assert given != odd
        assert len(given) == 36
        assert json.loads(body)["headers"]["x-request-id"] == given


def test_client_address_is_that_of_the_connection(tmp_path: Path) -> None:
    claimed = {"X-Forwarded-For": "9.9.9.9", "X-Forwarded-Proto": "https"}
    with setting(tmp_path, first(0, "answer")) as (gateway, _):
        _, body = gateway.ask("/api/users", headers=claimed)
        received = json.loads(body)["headers"]
        assert received["x-forwarded-proto"] == "http"
        assert received["x-forwarded-for"].split(",")[-1].strip() != "9.9.9.9"


def test_access_log_is_json_without_anything_secret(tmp_path: Path) -> None:
    secrets = {"Cookie": "forum_session=s3cret", "Authorization": "Bearer s3cret"}
    with setting(tmp_path, first(0, "answer")) as (gateway, _):
        gateway.ask("/api/users/1?token=s3cret", headers={**secrets, "X-Request-Id": "one"})
        gateway.ask("/elsewhere?token=s3cret", "POST", headers=secrets, body=b"s3cret")
        gateway.ask("/api%2Fusers?token=s3cret", headers=secrets)
        served, down, refused = gateway.logged(3)
        assert "s3cret" not in gateway.log.read_text()
    assert served["time"].endswith("Z")
    assert served["duration_ms"] >= 0
    assert served["bytes_sent"] > 0
    expected = {
        "component": "gateway",
        "request_id": "one",
        "method": "GET",
        "path": "/api/users/1",
        "route": "users-read",
        "cluster": "users",
        "status": 200,
        "attempts": 1,
    }
    assert expected.items() <= served.items()
    assert (down["route"], down["status"], down["attempts"]) == ("monolith-write", 503, 1)
    assert (refused["cluster"], refused["status"]) == (None, 400)
    assert refused["request_id"]


def test_access_log_as_text_has_the_form_of_the_components(tmp_path: Path) -> None:
    with setting(tmp_path, first(0, "answer"), "text") as (gateway, _):
        gateway.ask("/api/users/1?token=s3cret", headers={"X-Request-Id": "one"})
        gateway.ask("/elsewhere", headers={"X-Request-Id": "two"})
        served, down = gateway.log_lines(2)
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z INFO access: request request_id=one method=GET"
        r" path=/api/users/1 route=users-read cluster=users status=200 duration_ms=\d+"
        r" attempts=1 flags=-",
        served,
    )
    assert " status=503 " in down


def test_command_line_writes_valid_configuration(tmp_path: Path) -> None:
    file = tmp_path / "envoy.json"
    places = ["monolith=monolith.forum.local:8080", "threads=10.0.0.1:8080", "threads=10.0.0.2:80"]
    options = [option for place in places for option in ("--address", place)]
    asked = ["--extracted", " threads ,", *options, "--admin-port", "9901", "--output", str(file)]
    assert renderer.main(asked) == 0
    rendered = json.loads(file.read_text())
    looked_up = {
        cluster["name"]: "cluster_type" in cluster
        for cluster in rendered["static_resources"]["clusters"]
    }
    assert looked_up == {"monolith": True, "threads": False}
    assert rendered["admin"]["address"]["socket_address"]["address"] == "127.0.0.1"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--extracted", "users,comments"], "'comments'"),
        (["--address", "monolith:1"], "component=host:port"),
        (["--extracted", "", "--address", "monolith=127.0.0.1:99999"], "port_value"),
    ],
)
def test_command_line_reports_errors(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    assert renderer.main([*options, "--output", str(tmp_path / "envoy.json")]) == 1
    assert message in capsys.readouterr().err


def test_component_without_an_address_has_its_container_name(tmp_path: Path) -> None:
    file = tmp_path / "envoy.json"
    options = ["--extracted", "users", "--address", "monolith=127.0.0.1:1", "--output", str(file)]
    assert renderer.main(options) == 0
    _, users = json.loads(file.read_text())["static_resources"]["clusters"]
    (endpoint,) = users["load_assignment"]["endpoints"][0]["lb_endpoints"]
    place = endpoint["endpoint"]["address"]["socket_address"]
    assert users["cluster_type"]["name"] == "envoy.clusters.dns"
    assert (place["address"], place["port_value"]) == ("users.forum.local", 8080)


def test_health_requests_are_not_logged(tmp_path: Path) -> None:
    with setting(tmp_path, first(0, "answer")) as (gateway, _):
        for path in ("/healthz", "/readyz", "/readyzz"):
            gateway.ask(path)
        assert [line["path"] for line in gateway.logged(1)] == ["/readyzz"]


def test_component_needs_an_address() -> None:
    nowhere = GatewayConfig(routes.load().at(USERS), {"monolith": [LOCAL]}, LOCAL)
    with pytest.raises(ValueError, match="given for users"):
        render(nowhere)


def test_every_stage_has_a_name() -> None:
    assert [stages.stage_name(stage) for stage in stages.all_stages()] == [
        "monolith",
        "users",
        "threads",
        "posts",
        "users+threads",
        "users+posts",
        "threads+posts",
        "users+threads+posts",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        (" , ", ""),
        ("posts, users", "users,posts"),
        ("threads,posts,users,users", "users,threads,posts"),
    ],
)
def test_extracted_is_read_in_any_order(text: str, expected: str) -> None:
    assert stages.as_setting(stages.parse(text)) == expected


def test_gateway_with_a_routes_file_knows_all_components(tmp_path: Path) -> None:
    output, file = tmp_path / "envoy.json", tmp_path / "routes" / "routes.json"
    file.parent.mkdir()
    arguments = ("--extracted", "posts", "--output", str(output), "--routes-file", str(file))
    assert renderer.main(list(arguments)) == 0
    clusters = json.loads(output.read_text())["static_resources"]["clusters"]
    assert {cluster["name"] for cluster in clusters} == {"monolith", *stages.DOMAINS}
    (found,) = json.loads(file.read_text())["resources"]
    routed = {
        route["route"]["cluster"] for host in found["virtual_hosts"] for route in host["routes"]
    }
    assert routed == {"monolith", "posts"}
