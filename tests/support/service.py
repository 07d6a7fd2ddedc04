"""Helpers for tests of a service's Flask application: pagination and concurrent requests."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any
from unittest import mock

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from chassis import concurrency, deadline
from chassis.auth import passwords

RACERS = 50


def pages(client: FlaskClient, path: str, **query: Any) -> Iterator[list[dict[str, Any]]]:
    """Walk a list from its first page to its last."""
    cursor: dict[str, str] = {}
    seen = {""}
    while True:
        answer = client.get(path, query_string=query | cursor)
        assert answer.status_code == 200, answer.json
        yield answer.json["items"]
        following = answer.json["next"]
        if following is None:
            return
        assert following not in seen, "the list has no end"
        seen.add(following)
        cursor = {"cursor": following}


def walk(client: FlaskClient, path: str, **query: Any) -> list[dict[str, Any]]:
    """Return all items of a list."""
    return [item for page in pages(client, path, **query) for item in page]


def race(app: Flask, request: Callable[[FlaskClient, int], TestResponse]) -> list[TestResponse]:
    """Send 50 requests concurrently; `request` gets a client and its number.

    They meet at the store: none has to wait for its password's hash, or is refused because of it.
    A busy machine may need longer for all of them than one request may take, and more attempts.
    """
    start = Barrier(RACERS)

    def run(number: int) -> TestResponse:
        client = app.test_client()
        start.wait(30)
        return request(client, number)

    at_once = mock.patch.object(passwords, "_run", lambda work: work())
    unhurried = mock.patch.object(deadline, "MAX_SECONDS", 300.0)
    persistent = mock.patch.object(concurrency, "_ATTEMPTS", 1000)
    with at_once, unhurried, persistent, ThreadPoolExecutor(RACERS) as pool:
        return list(pool.map(run, range(RACERS)))
