"""A client at the gateway that repeats a write until its outcome is known."""

import random
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests

from chassis.clock import uuid7

PASSWORD = "a password of the fault suite"
TIMEOUT = 20  # seconds, longer than the gateway's
PATIENCE = 90  # seconds that a write is retried


class GaveUpError(AssertionError):
    """The outcome of a write stayed unknown: the forum did not recover."""


@dataclass(frozen=True)
class Exchange:
    """One request: its start (monotonic), its duration and its response."""

    at: float
    seconds: float
    method: str
    path: str
    status: int  # 0: no response, or an incomplete one
    problem: bool
    """Whether an error was problem+json, or a page for page requests."""
    detail: str = ""


class Records:
    """Every exchange of a run."""

    def __init__(self) -> None:
        self.exchanges: list[Exchange] = []

    def since(self, at: float) -> list[Exchange]:
        """Return the exchanges sent since then."""
        return [exchange for exchange in self.exchanges if exchange.at >= at]

    def failures(self, since: float) -> list[Exchange]:
        """Return those that failed on the forum's side."""
        return [one for one in self.since(since) if one.status == 0 or one.status >= 500]


class Client:
    """HTTP client that records every exchange."""

    def __init__(
        self, url: str, records: Records, stop: threading.Event, rng: random.Random
    ) -> None:
        self.url = url
        self.records = records
        self.stop = stop
        self.rng = rng
        self.token = ""
        self.id = ""
        self.name = ""
        self._http = requests.Session()
        self._http.trust_env = False
        self._http.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))

    def ask(
        self,
        method: str,
        path: str,
        json: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> requests.Response | None:
        """Send one request; return None without a response."""
        sent = dict(headers or {})
        if self.token:
            sent["Authorization"] = f"Bearer {self.token}"
        at = time.monotonic()
        try:
            response = self._http.request(
                method, self.url + path, json=json, headers=sent, timeout=TIMEOUT
            )
        except requests.RequestException as error:
            self._note(at, method, path, None, repr(error))
            return None
        self._note(at, method, path, response, response.text[:300])
        return response

    def insist(
        self,
        method: str,
        path: str,
        json: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """Send a repeatable request until there is a response.

        Raises:
            GaveUpError: it failed for longer than `PATIENCE`.
        """
        deadline = time.monotonic() + PATIENCE
        pause = 0.1
        while True:
            response = self.ask(method, path, json, headers)
            # 429: too many people sign in or register at once, for a machine that is busy.
            if response is not None and response.status_code < 500 and response.status_code != 429:
                return response
            if time.monotonic() > deadline:
                body = response.text if response is not None else "nothing"
                msg = f"{method} {path} failed for {PATIENCE} s: {body[:300]}"
                raise GaveUpError(msg)
            time.sleep(self.rng.uniform(pause / 2, pause))
            pause = min(1.0, pause * 1.5)

    def register(self) -> str:
        """Open an account and sign in; return the display name."""
        name = f"f{self.rng.getrandbits(48):x}"
        account = {"username": name, "password": PASSWORD}
        made = self.insist("POST", "/api/users", account, {"Idempotency-Key": uuid7()})
        assert made.status_code == 201, made.text
        self.id, self.name = made.json()["id"], name
        self.sign_in(name)
        return str(made.json()["display_name"])

    def sign_in(self, name: str) -> None:
        """Open a session."""
        session = self.insist(
            "POST", "/api/users/sessions", {"username": name, "password": PASSWORD}
        )
        assert session.status_code == 201, session.text
        self.token = session.json()["token"]

    def erase(self) -> None:
        """Erase the account."""
        erased = self.insist("DELETE", f"/api/users/{self.id}", {"password": PASSWORD})
        # 401, 404: the response was lost, but the erasure took place, and no session is left.
        assert erased.status_code in {202, 401, 404}, erased.text

    def _note(
        self, at: float, method: str, path: str, response: requests.Response | None, detail: str
    ) -> None:
        status = response.status_code if response is not None else 0
        kind = response.headers.get("Content-Type", "") if response is not None else ""
        wanted = "application/problem+json" if path.startswith("/api") else "text/html"
        well = status < 400 or kind.startswith(wanted) or kind == "application/problem+json"
        seconds = time.monotonic() - at
        body = detail if status >= 500 or not status else ""
        # `list.append` is atomic; the records are read when the load is over or by time.
        self.records.exchanges.append(
            Exchange(
                at,
                seconds,
                method,
                path,
                status,
                well,
                body,
            )
        )
