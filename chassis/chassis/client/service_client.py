"""HTTP calls to another component: bounded in time, failures raised as local failures."""

import time
from collections.abc import Callable, Mapping
from json import dumps
from typing import Any
from urllib.parse import urlencode

from flask import g, has_request_context

from chassis import deadline, errors
from chassis import headers as headers_of
from chassis.client import responses, retry_budget
from chassis.client.circuit_breaker import CallBreaker
from chassis.client.clock_skew import ClockSkew
from chassis.client.connection_pool import ConnectionPool, HttpResponse, NoResponseError
from chassis.client.responses import ServiceResponse, is_cutover
from chassis.concurrency import Precondition
from chassis.idempotency.keys import IdempotencyKey

READ_TIMEOUT = 4.0  # seconds
NESTED_READ_TIMEOUT = 2.0  # seconds, for a call that is made while another peer waits
MAX_RETRIES = 2
RETRY_WINDOW = 1.0  # seconds; a call that took longer is not retried
# Seconds that a call must have had before its failure counts against the peer: one caller's
# short deadline must not open the circuit for all callers.
MIN_FAIR_SECONDS = 1.0
_TRANSIENT = {503, 504}


class ServiceClient:
    """HTTP client of one other component.

    `name` is the name shown to people; `observer` is called with each successful response. `now`
    is the wall clock, in seconds since the epoch.
    """

    def __init__(
        self,
        name: str,
        url: str,
        *,
        connections: int = 32,
        read_timeout: float | None = None,
        observer: Callable[[ServiceResponse], None] | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.name = name
        self._now = now
        self._clock_skew = ClockSkew(name, now)
        self._observer = observer
        self._seconds = read_timeout or READ_TIMEOUT
        self._connections = ConnectionPool(url, connections)
        self._breaker = CallBreaker(name)
        self._budget = retry_budget.RetryBudget()

    @property
    def circuit_state(self) -> str:
        """Return the circuit breaker's state: `closed` (healthy), `open` or `half-open`.

        An open breaker closes once a call succeeds.
        """
        return self._breaker.state

    @property
    def clock_skew_seconds(self) -> float:
        """Return how far the peer's clock is at least ahead, negative if it is behind."""
        return self._clock_skew.seconds

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Mapping[str, Any] | None = None,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> ServiceResponse:
        """Make one call; retry it if it failed early and is safe to repeat.

        Raises:
            Failure: the peer refused the request; raised as the same failure here.
            Unavailable: the response is late, missing or breaks the contract.
        """
        sent = dict(headers or {})
        data = None
        if json is not None:
            # Without escapes, which could triple the size of a text and exceed the limit.
            data = dumps(json, ensure_ascii=False).encode()
            sent["Content-Type"] = "application/json"
        if token:
            sent["Authorization"] = f"Bearer {token}"
        if has_request_context() and "request_id" in g:
            sent[headers_of.REQUEST_ID] = g.request_id
        target = f"{path}?{urlencode(params, doseq=True)}" if params else path
        twice = method == "GET" or (method == "POST" and headers_of.IDEMPOTENCY_KEY in sent)
        answer = self._request_with_retries(method, target, data, sent, MAX_RETRIES if twice else 0)
        response = responses.to_service_response(self.name, answer)
        if self._observer:
            self._observer(response)
        return response

    def _request_with_retries(
        self, method: str, target: str, data: bytes | None, headers: dict[str, str], retries: int
    ) -> HttpResponse:
        """Return the first response that is not worth a retry."""
        late = time.monotonic() + RETRY_WINDOW
        self._budget.record_request()
        tries = 0
        while True:
            tries += 1
            more = tries <= retries
            try:
                answer = self._attempt(method, target, data, headers)
            except NoResponseError as error:
                if not (more and error.retryable and self._backoff(tries, late)):
                    raise self._unavailable() from error
            else:
                # A peer in a cutover has already waited before it responds.
                passing = answer.status in _TRANSIENT and not is_cutover(answer)
                if not (more and passing and self._backoff(tries, late)):
                    return answer

    def _backoff(self, tries: int, late: float) -> bool:
        """Wait before a retry; return False if there should be no retry."""
        pause = retry_budget.backoff_seconds(tries)
        if time.monotonic() + pause >= late or not self._budget.spend():
            return False
        time.sleep(pause)
        return True

    def _attempt(
        self, method: str, target: str, data: bytes | None, headers: dict[str, str]
    ) -> HttpResponse:
        deadline.require_time(deadline.RESPONSE_MARGIN)
        if not self._breaker.allow_request():
            raise self._unavailable()
        left = deadline.remaining_seconds()
        seconds = self._seconds if left is None else min(self._seconds, left)
        # The peer stops when this timeout ends, and can still respond in time.
        until = {headers_of.DEADLINE: deadline.header_value(seconds)}
        patient = seconds >= min(MIN_FAIR_SECONDS, self._seconds)
        well: bool | None = None
        sent = self._now()
        try:
            answer = self._connections.send(method, target, data, headers | until, seconds)
            self._clock_skew.record(answer.headers.get("Date"), sent, self._now())
            well = answer.status < 500 or is_cutover(answer) or (False if patient else None)
        except NoResponseError as error:
            well = (
                False
                if error.connection_refused or (patient and not error.pool_exhausted)
                else None
            )
            raise
        finally:
            self._breaker.record_outcome(well)
        return answer

    def _unavailable(self) -> errors.Unavailable:
        return responses.service_unavailable(self.name)


def idempotency_headers(key: IdempotencyKey | None) -> dict[str, str]:
    """Return the header that makes a POST safe to repeat."""
    return {headers_of.IDEMPOTENCY_KEY: key.key} if key else {}


def if_match_headers(expected: Precondition) -> dict[str, str]:
    """Return the header that names the versions which an edit may replace."""
    if expected is None:
        return {}
    return {"If-Match": ", ".join(f'"{version}"' for version in sorted(expected)) or '""'}
