"""Programs that run a workspace's code while a check asks them."""

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import urllib3

from labs.outcome import CheckInconclusive, CheckNotRun

_READY_SECONDS, _STOP_SECONDS = 15.0, 5.0


@dataclass(frozen=True)
class Program:
    """A running program, and the file with its output."""

    process: "subprocess.Popen[bytes]"
    log: Path

    def read_log(self) -> str:
        """Return the output so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def wait_until_ready(self, url: str) -> None:
        """Wait for a 200 from an address.

        Raises:
            CheckNotRun: the program has ended; the message is its output.
            CheckInconclusive: it was not ready in time.
        """
        deadline = time.monotonic() + _READY_SECONDS
        with urllib3.PoolManager(retries=False, timeout=1) as http:
            while time.monotonic() < deadline:
                if self.process.poll() is not None:
                    raise CheckNotRun(self.read_log())
                with suppress(urllib3.exceptions.HTTPError):
                    if http.request("GET", url).status == 200:
                        return
                time.sleep(0.05)
        msg = f"{url} was not ready within {_READY_SECONDS:g} s"
        raise CheckInconclusive(msg)


def server_command(address: str, application: str) -> list[str]:
    """Return the command that serves a component's application, as in production."""
    gunicorn = str(Path(sys.executable).with_name("gunicorn"))
    options = ("-c", "python:chassis.http.gunicorn_conf", "--bind", address)
    return [sys.executable, gunicorn, *options, application]


@contextmanager
def run_program(
    command: Sequence[str], log: Path, folder: Path, environment: Mapping[str, str]
) -> Iterator[Program]:
    """Run a program in a folder during the block."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield Program(process, log)
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_SECONDS)
        process.kill()
        process.wait()
