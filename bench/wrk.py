"""Load generation by wrk: a number of connections, each with one request at a time."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SCRIPT = Path(__file__).with_name("wrk.lua")
TIMEOUT = 20  # seconds for one response, longer than the gateway's timeout
MISSING = (
    "The benchmark needs wrk, which is not installed. On Debian or Ubuntu, run apt install wrk;"
    " on macOS, run brew install wrk."
)


class WrkError(Exception):
    """wrk is missing or failed; the message gives the reason."""


@dataclass(frozen=True)
class Request:
    """One request; `token` is a session token."""

    path: str
    method: str = "GET"
    token: str = ""
    body: str = ""


@dataclass(frozen=True)
class LoadResult:
    """The result of a load run; times in milliseconds, over all requests with a response."""

    requests: int
    seconds: float
    bytes: int
    p50: float
    p95: float
    p99: float
    longest: float
    broken: int  # without a complete response
    refused: int  # with a status of 400 or more

    @property
    def rate(self) -> float:
        """Return the successful requests per second."""
        return (self.requests - self.refused) / self.seconds


def ensure() -> str:
    """Return wrk's path; raise WrkError if it is missing."""
    if found := shutil.which("wrk"):
        return found
    raise WrkError(MISSING)


def run(
    url: str,
    requests: Sequence[Request],
    connections: int,
    seconds: float,
    *,
    cookie: str = "",
    seed: int = 0,
) -> LoadResult:
    """Send the requests repeatedly for some seconds; sessions in a cookie of this name, if any."""
    with tempfile.NamedTemporaryFile("w", suffix=".requests", encoding="utf-8") as file:
        file.writelines(f"{one.method}\t{one.path}\t{one.token}\t{one.body}\n" for one in requests)
        file.flush()
        shape = ("-t", "1", "-c", str(connections), "-d", f"{max(1, round(seconds))}s")
        options = ("--timeout", f"{TIMEOUT}s", "-s", str(SCRIPT), url)
        done = subprocess.run(
            [ensure(), *shape, *options, "--", file.name, str(seed)],
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds + 3 * TIMEOUT,
            env=os.environ | {"BENCH_COOKIE": cookie},
        )
    reports = [line for line in done.stdout.splitlines() if line.startswith("BENCH ")]
    if done.returncode or not reports:
        sys.stderr.write(done.stdout + done.stderr)
        msg = f"wrk ended with code {done.returncode}"
        raise WrkError(msg)
    return LoadResult(**json.loads(reports[0].removeprefix("BENCH ")))
