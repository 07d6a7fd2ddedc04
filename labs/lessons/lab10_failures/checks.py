"""Checks of lab 10: a component's client, in front of a peer that is slow, fails or recovers."""

import json
from typing import Any

from labs.outcome import CheckInconclusive, CheckNotRun, fail
from labs.peer import Peer, run_peer
from labs.tracebacks import fail_if_unwritten
from labs.workspace import Workspace

DEADLINE = "chassis/chassis/deadline.py"
BUDGET = "chassis/chassis/client/retry_budget.py"
BREAKER = "chassis/chassis/client/circuit_breaker.py"
PAGE = "docs/adr/0015-calls.md"

_COMMON = """
import json, sys, time
from concurrent.futures import ThreadPoolExecutor
from chassis import deadline
from chassis.client.service_client import ServiceClient
from chassis.errors import Unavailable

client = ServiceClient("peer", sys.argv[1])

def call():
    began = time.monotonic()
    try:
        client.request("GET", "/")
        return True, time.monotonic() - began
    except Unavailable:
        return False, time.monotonic() - began
"""
_DEADLINE = """
with deadline.limit(0.5):
    inner = call()
    with deadline.limit(5):
        nested = deadline.remaining_seconds()
after = deadline.remaining_seconds()
print(json.dumps({"inner": inner, "nested": nested, "after": after}))
"""
_BUDGET = """
first = call()
began = time.monotonic()
calls = [call() for _ in range(60)]
print(json.dumps({"first": first, "seconds": time.monotonic() - began}))
"""
_BREAKER = """
failing = [call() for _ in range(5)]
rejected = [call() for _ in range(5)]
time.sleep(1.1)
with ThreadPoolExecutor(5) as pool:
    trial = list(pool.map(lambda _: call(), range(5)))
time.sleep(1.1)
recovered = [call() for _ in range(2)]
print(json.dumps({"rejected": rejected, "trial": trial, "recovered": recovered}))
"""
_SLOW, _LIMIT = 3.0, 0.5  # seconds
_TRIAL_SECONDS = 1.0
_CALLS, _SAVED, _SHARE = 60, 10, 0.2
_FAILURES, _REJECTED = 5, 5


def check_deadline(workspace: Workspace) -> None:
    """Check that a call ends with its caller's deadline, and that the deadline ends, too."""
    with run_peer(lambda _: (200, _SLOW)) as peer:
        found = _run(workspace, _COMMON + _DEADLINE, peer)
    where = workspace.find_line(DEADLINE, "def limit")
    ok, seconds = found["inner"]
    # Much later than the limit: a busy machine may be late, too.
    if ok or seconds > _SLOW - _LIMIT:
        fail(
            "no-limit",
            asked=f"a call to a peer that takes {_SLOW:g} s, within limit({_LIMIT})",
            got=f"{'a response' if ok else 'a failure'} after {seconds:.1f} s",
            expected=f"a failure after about {_LIMIT} s",
            where=where,
            why="The caller has stopped waiting, so any further work is wasted.",
            page=PAGE,
        )
    if found["nested"] is None or found["nested"] > _LIMIT:
        fail(
            "extended",
            asked=f"remaining_seconds() in limit(5) within limit({_LIMIT})",
            got=f"{found['nested']} s",
            expected="what the outer limit leaves",
            where=where,
            why="A component deep in a chain must not wait longer than the first caller does.",
            page=PAGE,
        )
    if found["after"] is not None:
        fail(
            "leaks",
            asked="remaining_seconds() after the block",
            got=f"{found['after']:.1f} s",
            expected="None",
            where=where,
            why="A thread serves the next request afterwards, which would inherit the deadline.",
            page=PAGE,
        )


def check_budget(workspace: Workspace) -> None:
    """Check that a single failure is retried, and that many are not multiplied."""
    # Two failures and a response, so that the circuit breaker stays closed.
    with run_peer(lambda number: (200 if number % 3 == 0 else 503, 0.0)) as peer:
        found = _run(workspace, _COMMON + _BUDGET, peer)
    where = workspace.find_line(BUDGET, "def spend")
    if not found["first"][0]:
        fail(
            "no-retry",
            asked="a call to a peer that fails twice and then responds",
            got="a failure",
            expected="a response, after two retries",
            where=where,
            why="Most failures are short. A retry hides them from people.",
            page=PAGE,
        )
    retries = peer.requests - (_CALLS + 1)
    allowed = _SAVED + _SHARE * (_CALLS + 1) + found["seconds"] + 2
    if retries > allowed:
        fail(
            "storm",
            asked=f"{_CALLS} calls to a peer that fails two times of three",
            got=f"{retries} retries",
            expected=f"at most {allowed:.0f}: {_SAVED}, one for five calls, and one a second",
            where=where,
            why=(
                "A peer that is overloaded gets three times the load from callers that retry"
                " without a budget, and stays down."
            ),
            page=PAGE,
        )


def check_breaker(workspace: Workspace) -> None:
    """Check that a failing peer is left alone, tried by one call, and used again."""

    def behave(number: int) -> tuple[int, float]:
        # The trial takes so long that all other calls of its moment meet it.
        status = 500 if number <= _FAILURES else 200
        return status, _TRIAL_SECONDS if number == _FAILURES + 1 else 0.0

    with run_peer(behave) as peer:
        found = _run(workspace, _COMMON + _BREAKER, peer)
    where = workspace.find_line(BREAKER, "def allow_request")
    if any(ok for ok, _ in found["rejected"]):
        fail(
            "not-open",
            asked=f"{_REJECTED} calls right after {_FAILURES} failures in a row",
            got=f"{sum(ok for ok, _ in found['rejected'])} reached the peer",
            expected="failures at once, without a call",
            where=where,
            why="Callers that wait for a peer that is down hold their threads, and fall with it.",
            page=PAGE,
        )
    passed = sum(ok for ok, _ in found["trial"])
    if passed == 0:
        fail(
            "no-trial",
            asked="5 calls at once, a second after the circuit opened",
            got="no call",
            expected="one trial call",
            where=where,
            why="Without a trial, the component never notices that the peer is back.",
            page=PAGE,
        )
    if passed > 1:
        fail(
            "stampede",
            asked="5 calls at once, a second after the circuit opened",
            got=f"{passed} calls to the peer",
            expected="one trial call",
            where=where,
            why="A peer that is just back would get the whole load at once, and fall again.",
            page=PAGE,
        )
    if not all(ok for ok, _ in found["recovered"]):
        fail(
            "not-closed",
            asked="two calls after a trial that succeeded",
            got="a failure",
            expected="responses",
            where=where,
            why="The peer is healthy, and people still see failures.",
            page=PAGE,
        )


def _run(workspace: Workspace, script: str, peer: Peer) -> dict[str, Any]:
    done = workspace.run("-c", script, peer.url)
    if done.returncode:
        fail_if_unwritten(done.stderr, workspace.folder, PAGE)
        raise CheckNotRun(done.stderr)
    try:
        found: dict[str, Any] = json.loads(done.stdout)
    except ValueError as error:
        msg = f"the program printed {done.stdout[:200]!r}"
        raise CheckInconclusive(msg) from error
    return found


CHECKS = (check_deadline, check_budget, check_breaker)
