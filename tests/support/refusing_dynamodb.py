"""HTTP proxy in front of Dynoxide that refuses as DynamoDB on AWS does, and Dynoxide never.

On AWS, transactions conflict, batches and pages are cut short, requests are throttled, an index
lags behind its table, and a connection ends after the commit and before the response. The choices
come from a seed, so a run can be repeated as far as its requests come in the same order.

Run as a program, it serves until its standard input ends:
`python -m tests.support.refusing_dynamodb PORT UPSTREAM SEED RATES`. It then returns what it did
to `GET /`, and `PUT /` replaces its rates.
"""

import json
import random
import socket
import subprocess
import sys
import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler
from threading import Lock
from typing import Any

import requests
import urllib3
from cachetools import LRUCache

from infra.runner.config import HOST, ROOT
from tests.support.servers import Server, reply
from tests.support.waits import wait_until

CONFLICT = "transaction conflict"
IN_PROGRESS = "transaction in progress"
UNPROCESSED = "unprocessed batch"
SHORT_PAGE = "short page"
THROTTLED = "throttled"
STALE_INDEX = "stale index"
LOST_RESPONSE = "lost response"
KINDS = (CONFLICT, IN_PROGRESS, UNPROCESSED, SHORT_PAGE, THROTTLED, STALE_INDEX, LOST_RESPONSE)

RATES = {
    CONFLICT: 0.05,
    # Of the transactions that are repeated after a lost response.
    IN_PROGRESS: 0.5,
    UNPROCESSED: 0.05,
    SHORT_PAGE: 0.1,
    # The client repeats a call once: one call in 2,500 fails.
    THROTTLED: 0.02,
    STALE_INDEX: 0.1,
    LOST_RESPONSE: 0.02,
}
"""Share of the requests that are refused, of those that AWS may refuse in this way."""

STALE_SECONDS = 1.0
"""Age of a page of an index that is returned instead of the current one, at most."""

_BATCHES = {"BatchGetItem", "BatchWriteItem"}
_PAGES = {"Query", "Scan"}
_WRITES = {
    *("PutItem", "UpdateItem", "DeleteItem"),
    *("BatchWriteItem", "TransactWriteItems"),
}
_READS = {"GetItem", *_PAGES, "BatchGetItem"}
_PREFIX = "com.amazonaws.dynamodb.v20120810#"
_HOP = {"host", "connection", "content-length", "transfer-encoding"}
_TYPE = (("Content-Type", "application/x-amz-json-1.0"),)
_UPSTREAM_SECONDS = 30


class RefusingDynamoDB(Server):
    """The proxy; `struck` counts what it did, by kind."""

    def __init__(
        self,
        upstream: str,
        seed: int,
        rates: Mapping[str, float] = RATES,
        *,
        port: int = 0,
    ) -> None:
        super().__init__(self._answer, port=port)
        self.struck: Counter[str] = Counter()
        self.rates = dict(rates)
        self._upstream = upstream
        self._rng = random.Random(seed)
        self._planned: deque[str] = deque()
        self._lost_tokens: LRUCache[str, bool] = LRUCache(1000)
        self._pages: LRUCache[bytes, tuple[float, bytes]] = LRUCache(1000)
        self._lock = Lock()
        self._http = urllib3.PoolManager(maxsize=64, retries=False)

    def plan(self, *kinds: str) -> None:
        """Refuse the next requests in these ways, each as soon as a request allows it."""
        with self._lock:
            self._planned.extend(kinds)

    def _answer(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        operation = request.headers.get("X-Amz-Target", "").partition(".")[2]
        if not operation:
            self._control(request, body)
            return
        try:
            content = json.loads(body)
        except ValueError:  # its sender was killed in the middle of it
            request.close_connection = True
            return
        kind = self._choose(operation, content, body)
        match kind:
            case _ if kind in {CONFLICT, IN_PROGRESS, THROTTLED}:
                reply(request, 400, json.dumps(self._refusal(kind, content)).encode(), _TYPE)
            case _ if kind == STALE_INDEX:
                reply(request, 200, self._pages[body][1], _TYPE)
            case _ if kind == UNPROCESSED:
                self._cut_batch(request, operation, content)
            case _ if kind == SHORT_PAGE:
                with self._lock:
                    content["Limit"] = self._rng.randint(1, max(1, content.get("Limit", 100) // 2))
                self._forward(request, json.dumps(content).encode())
            case _ if kind == LOST_RESPONSE:
                self._forward(request, body, lost=True)
            case _:
                answer = self._forward(request, body)
                if answer is not None and "IndexName" in content:
                    self._pages[body] = (time.monotonic(), answer)

    def _control(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        if request.command == "PUT":
            self.rates = json.loads(body)
        reply(request, 200, json.dumps(self.struck).encode())

    def _choose(self, operation: str, content: Mapping[str, Any], body: bytes) -> str:
        """Choose what is done to a request; empty if it is only forwarded."""
        with self._lock:
            possible = list(self._possible(operation, content, body))
            if self._planned:
                kind = self._planned.popleft() if self._planned[0] in possible else ""
            else:
                chosen = [k for k in possible if self._rng.random() < self.rates.get(k, 0)]
                kind = chosen[0] if chosen else ""
            if kind:
                self.struck[kind] += 1
            if kind == LOST_RESPONSE and "ClientRequestToken" in content:
                self._lost_tokens[content["ClientRequestToken"]] = True
            return kind

    def _possible(self, operation: str, content: Mapping[str, Any], body: bytes) -> Iterator[str]:
        if operation == "TransactWriteItems":
            # On AWS the first attempt may still run when the second one arrives.
            if self._lost_tokens.get(content.get("ClientRequestToken", "")):
                yield IN_PROGRESS
            yield CONFLICT
        if operation in _WRITES:
            yield LOST_RESPONSE
        if operation in _BATCHES and sum(map(_length, content["RequestItems"].values())) > 1:
            yield UNPROCESSED
        if operation == "Query" and "IndexName" in content:
            at, _ = self._pages.get(body, (float("-inf"), b""))
            if time.monotonic() - at < STALE_SECONDS:
                yield STALE_INDEX
        if operation in _PAGES:
            yield SHORT_PAGE
        if operation in _READS | _WRITES:
            yield THROTTLED

    def _refusal(self, kind: str, content: Mapping[str, Any]) -> dict[str, Any]:
        if kind == IN_PROGRESS:
            name = "TransactionInProgressException"
            return {"__type": _PREFIX + name, "Message": "The transaction is in progress."}
        if kind == THROTTLED:
            name = "ProvisionedThroughputExceededException"
            return {"__type": _PREFIX + name, "message": "The request rate is too high."}
        reasons = [{"Code": "None"} for _ in content["TransactItems"]]
        with self._lock:
            self._rng.choice(reasons)["Code"] = "TransactionConflict"
        codes = ", ".join(reason["Code"] for reason in reasons)
        return {
            "__type": _PREFIX + "TransactionCanceledException",
            "Message": f"Transaction cancelled for specific reasons [{codes}]",
            "CancellationReasons": reasons,
        }

    def _cut_batch(
        self, request: BaseHTTPRequestHandler, operation: str, content: dict[str, Any]
    ) -> None:
        """Process a part of a batch, at least one item, and return the rest."""
        wanted = content["RequestItems"]
        places = [(table, n) for table, one in wanted.items() for n in range(_length(one))]
        with self._lock:
            kept = set(self._rng.sample(places, self._rng.randint(1, len(places) - 1)))
        parts: list[dict[str, Any]] = [{}, {}]
        for table, one in wanted.items():
            listed = one["Keys"] if isinstance(one, dict) else one
            for part, is_kept in zip(parts, (True, False), strict=True):
                some = [entry for n, entry in enumerate(listed) if ((table, n) in kept) is is_kept]
                if some:
                    part[table] = one | {"Keys": some} if isinstance(one, dict) else some
        processed, left = parts
        name = "UnprocessedKeys" if operation == "BatchGetItem" else "UnprocessedItems"
        body = json.dumps(content | {"RequestItems": processed}).encode()
        self._forward(request, body, added={name: left})

    def _forward(
        self,
        request: BaseHTTPRequestHandler,
        body: bytes,
        *,
        lost: bool = False,
        added: Mapping[str, Any] | None = None,
    ) -> bytes | None:
        """Pass a request on, and its response back; return the response if it succeeded."""
        headers = {
            name: value for name, value in request.headers.items() if name.lower() not in _HOP
        }
        try:
            answer = self._http.request(
                request.command,
                self._upstream + request.path,
                body=body,
                headers=headers,
                timeout=_UPSTREAM_SECONDS,
            )
        except urllib3.exceptions.HTTPError:
            lost = True  # Dynoxide is down: whether it has committed is unknown, as on AWS
        if lost:
            request.close_connection = True
            with suppress(OSError):
                request.connection.shutdown(socket.SHUT_RDWR)
            return None
        data = answer.data
        if added and answer.status == 200:
            data = json.dumps(json.loads(data) | added).encode()
        reply(request, answer.status, data, _TYPE)
        return data if answer.status == 200 else None


class RefusingProcess:
    """A proxy that runs in a process of its own."""

    def __init__(self, port: int) -> None:
        self.url = f"http://{HOST}:{port}"

    def struck(self) -> Counter[str]:
        """Return what the proxy did, by kind."""
        return Counter(requests.get(self.url, timeout=10).json())

    def set_rates(self, rates: Mapping[str, float]) -> None:
        """Replace the rates of refusals; without any, everything is only forwarded."""
        requests.put(self.url, json=dict(rates), timeout=10).raise_for_status()


@contextmanager
def running(port: int, upstream: str, seed: int) -> Iterator[RefusingProcess]:
    """Run the proxy in a process of its own, which leaves this one its time."""
    arguments = (str(port), upstream, str(seed), json.dumps(RATES))
    command = [sys.executable, "-m", __name__, *arguments]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE)
    proxy = RefusingProcess(port)

    def ready() -> bool:
        with suppress(requests.ConnectionError):
            return not proxy.struck()
        assert process.poll() is None, "the proxy did not start"
        return False

    try:
        wait_until(ready)
        yield proxy
    finally:
        process.communicate(timeout=60)


def _length(wanted: Any) -> int:
    return len(wanted["Keys"] if isinstance(wanted, dict) else wanted)


def _serve(port: str, upstream: str, seed: str, rates: str) -> None:
    with RefusingDynamoDB(upstream, int(seed), json.loads(rates), port=int(port)):
        sys.stdin.read()


if __name__ == "__main__":
    _serve(*sys.argv[1:])
