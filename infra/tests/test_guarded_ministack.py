"""The bus refuses web pages and administration, and serves AWS clients."""

import http.client
from collections.abc import Iterator

import pytest

from tests.support.bus import Bus as Clients
from tests.support.bus import MiniStack

SIGNED = {
    "Authorization": "AWS4-HMAC-SHA256 Credential=local/20260131/eu-central-1/sqs/aws4_request"
}
LIST = "/?Action=ListQueues&Version=2012-11-05"


@pytest.fixture(scope="module")
def ministack() -> Iterator[MiniStack]:
    with MiniStack() as running:
        yield running


def send(ministack: MiniStack, method: str, path: str, **headers: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", ministack.port, timeout=10)
    try:
        connection.request(
            method, path, headers={k.replace("_", "-"): v for k, v in headers.items()}
        )
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("OPTIONS", "/", {"Origin": "https://example.org"}),
        ("GET", LIST, SIGNED | {"Origin": "https://example.org"}),
        # A sandboxed frame, or a file.
        ("POST", LIST, SIGNED | {"Origin": "null"}),
        ("GET", LIST, SIGNED | {"Host": "rebound.example.org"}),
        ("GET", LIST, SIGNED | {"Host": "127.0.0.1.example.org:4566"}),
        # An image of a page: no Origin, and the name and password of its URL.
        ("GET", LIST, {}),
        ("GET", LIST, {"Authorization": "Basic bG9jYWw6bG9jYWw="}),
        ("POST", "/_ministack/reset", {}),
        ("POST", "/_ministack/reset", SIGNED),
        ("POST", "/_ministack/config", SIGNED),
        ("POST", "/_ministack/ready", SIGNED),
        ("GET", "/_ministack/ready", {"Host": "rebound.example.org"}),
        ("GET", "/_ministack/sqs/messages", SIGNED),
    ],
)
def test_request_that_no_aws_client_sends_is_refused(
    ministack: MiniStack, method: str, path: str, headers: dict[str, str]
) -> None:
    status, body = send(ministack, method, path, **headers)
    assert status == 403
    assert b"no web pages" in body


def test_aws_clients_and_the_readiness_check_are_served(
    ministack: MiniStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in ministack.environment.items():
        monkeypatch.setenv(name, value)
    bus = Clients(ministack)
    url = bus.sqs.create_queue(QueueName="kept")["QueueUrl"]
    send(ministack, "POST", "/_ministack/reset")
    assert bus.sqs.list_queues()["QueueUrls"] == [url]
    assert bus.sns.list_topics()["Topics"] == []
    assert send(ministack, "GET", "/_ministack/ready")[0] == 200
    # What the requests above lack, one at a time: this one has all of it.
    assert send(ministack, "GET", LIST, **SIGNED)[0] == 200
    assert send(ministack, "GET", LIST, **SIGNED, Host="localhost")[0] == 200
