"""Load, made by wrk: so many connections, each with one request at a time."""

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
TIMEOUT = 20  # seconds for one answer, longer than the gateway's
MISSING = (
    "The load is made by wrk, which is not installed here. Debian and Ubuntu: apt install wrk;"
    " macOS: brew install wrk."
)


class WrkError(Exception):
    """wrk can't be had, or did not do its work; the message says why."""


@dataclass(frozen=True)
class Request:
    """One request; `token` is a session."""

    path: str
    method: str = "GET"
    token: str = ""
    body: str = ""


@dataclass(frozen=True)
class LoadResult:
    """What came of a load; times in milliseconds, of all requests that were answered."""

    requests: int
    seconds: float
    bytes: int
    p50: float
    p95: float
    p99: float
    longest: float
    broken: int  # without a whole answer
    refused: int  # answered with a status of 400 or more

    @property
    def rate(self) -> float:
        """Return the requests a second that were answered well."""
        return (self.requests - self.refused) / self.seconds


def ensure() -> str:
    """Give wrk's path; raise WrkError where there is none."""
    if found := shutil.which("wrk"):
        return found
    raise WrkError(MISSING)


def run(
    url: str,
    requests: Sequence[Request],
    connections: int,
    seconds: float,
    *,
    cookie: bool = False,
    seed: int = 0,
) -> LoadResult:
    """Send the requests, again and again, for so many seconds."""
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
            env=os.environ | {"BENCH_COOKIE": "1" if cookie else "0"},
        )
    told = [line for line in done.stdout.splitlines() if line.startswith("BENCH ")]
    if done.returncode or not told:
        sys.stderr.write(done.stdout + done.stderr)
        msg = f"wrk ended with code {done.returncode}"
        raise WrkError(msg)
    return LoadResult(**json.loads(told[0].removeprefix("BENCH ")))
