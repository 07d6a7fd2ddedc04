"""A forum during moves: a running stage, its users, and the extraction as a separate process."""

import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from infra.runner.config import ROOT, with_current_stage
from tests.extraction.people import Crowd
from tests.faults.client import Exchange
from tests.faults.ledger import Ledger
from tests.faults.truth import Truth, settle
from tests.support.harness import Stack

HELD = re.compile(r"writes were frozen for ([0-9.]+) s")
MOVER = (sys.executable, "-m", "extraction")
MOVED_WITHIN = 900 if os.environ.get("FULL") else 420  # seconds
# Per move; on a busy machine a component would otherwise always be down when it is needed.
MOST_KILLS = 12


@dataclass
class Moved:
    """The effect of one move on the users."""

    name: str
    seconds: float
    held: list[float]
    requests: int
    writes: int
    refused: int  # with the announced 503
    failed: int  # in any other way
    kills: int = 0

    def line(self) -> str:
        """Return the report as a line of a table."""
        held = ", ".join(f"{seconds:.2f}" for seconds in self.held) or "-"
        return (
            f"{self.name:<16} {self.seconds:>6.1f} s  held {held:>5} s {self.requests:>6}"
            f" {self.writes:>6} {self.refused:>7} {self.failed:>6} {self.kills:>5}"
        )


HEADING = (
    f"{'move':<16} {'took':>8}  {'held':>12} {'asked':>6} {'writes':>6} {'refused':>7}"
    f" {'failed':>6} {'kills':>5}"
)


@dataclass
class MovingForum:
    """A stage, its users, the ledger of acknowledged writes, and the reports of moves."""

    stack: Stack
    seed: int
    members: int = 16
    moves: list[Moved] = field(default_factory=list)
    unannounced: list[Exchange] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        self.ledger = Ledger()
        self.crowd = Crowd(self.stack.base_url, self.ledger, self.seed, self.members)

    def command(self, *arguments: str) -> "subprocess.Popen[str]":
        """Start the extraction process."""
        return subprocess.Popen(
            [*MOVER, *arguments],
            cwd=ROOT,
            env=self.stack.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *arguments: str) -> tuple[int, str]:
        """Run the extraction process to its end."""
        process = self.command(*arguments)
        try:
            output, _ = process.communicate(timeout=MOVED_WITHIN)
        except subprocess.TimeoutExpired:
            process.kill()
            output = process.communicate()[0]
            raise AssertionError(f"{arguments} did not end:\n{output}") from None
        self.stack.config = with_current_stage(self.stack.config)
        return process.returncode, output

    def _rest(self, process: "subprocess.Popen[str]") -> str:
        """Wait for the extraction process, and return its output."""
        try:
            return process.communicate(timeout=MOVED_WITHIN)[0]
        except subprocess.TimeoutExpired:
            process.kill()
            output = process.communicate()[0]
            raise AssertionError(f"seed {self.seed}: it did not end:\n{output}") from None

    def move(self, what: str, domain: str, *options: str) -> Moved:
        """Move a domain under load."""
        began, at, writes = time.monotonic(), time.monotonic(), self.ledger.writes
        code, output = self.run(what, domain, "--soak", "2", *options)
        assert code == 0, f"seed {self.seed}:\n{output}"
        return self._note(what, domain, at, time.monotonic() - began, writes, output, 0)

    def move_under_kills(
        self, what: str, domain: str, killed: Sequence[str], most_kills: int = MOST_KILLS
    ) -> Moved:
        """Move a domain while the extraction and components are killed repeatedly."""
        at, writes, told, kills = time.monotonic(), self.ledger.writes, "", 0
        while True:
            process = self.command(what, domain, "--soak", "1")
            # Sooner or later: a move takes a few seconds out, and a dozen back.
            end = time.monotonic() + self.rng.uniform(0.3, 14)
            while process.poll() is None and time.monotonic() < end:
                time.sleep(0.02)
                if kills < most_kills and self.rng.random() < 0.004:
                    kills += self._kill(self.rng.choice([*killed, domain]))
            if process.poll() is None and kills < most_kills:
                process.kill()
                kills += 1
            told += self._rest(process)
            self.stack.config = with_current_stage(self.stack.config)
            if process.returncode == 0:
                break
            assert time.monotonic() - at < 2 * MOVED_WITHIN, f"seed {self.seed}:\n{told}"
            time.sleep(self.rng.uniform(0, 1))
        return self._note(what, domain, at, time.monotonic() - at, writes, told, kills)

    @contextmanager
    def people(self, think: float = 0.3) -> Iterator[None]:
        """Run the load during the block."""
        with self.crowd.running(think):
            yield

    def prove(self, settle_seconds: float = 60) -> None:
        """Assert that all acknowledged writes are visible, and all sessions valid.

        Events may take `settle_seconds` until they are processed.
        """
        if self.stack.config.services:
            settle(self.stack, settle_seconds)
        wrong = Truth(self.stack, self.ledger).wrong()
        assert not wrong, f"seed {self.seed}:\n" + "\n".join(wrong[:20])
        assert not self.crowd.stale, f"seed {self.seed}: older data:\n" + "\n".join(
            self.crowd.stale[:20]
        )
        for member in self.crowd.members:
            answer = member.client.insist("GET", "/api/users/me")
            assert answer.status_code == 200, answer.text

    def _kill(self, part: str) -> int:
        pid = self.stack.pid(part)
        if not pid:
            return 0
        os.killpg(pid, signal.SIGKILL)
        return 1

    def _note(
        self,
        what: str,
        domain: str,
        at: float,
        seconds: float,
        writes: int,
        output: str,
        kills: int,
    ) -> Moved:
        asked = self.crowd.records.since(at)
        failed = self.crowd.records.failures(at)
        refused = [one for one in failed if is_announced(one)]
        moved = Moved(
            f"{what} {domain}",
            seconds,
            [float(held) for held in HELD.findall(output)],
            len(asked),
            self.ledger.writes - writes,
            len(refused),
            len(failed) - len(refused),
            kills,
        )
        self.moves.append(moved)
        return moved

    def failures(self, since: float) -> list[Exchange]:
        """Return the failures other than the announced ones."""
        return [one for one in self.crowd.records.failures(since) if not is_announced(one)]


def is_announced(one: Exchange) -> bool:
    """Return whether a request was refused because its domain was being moved."""
    return one.status == 503 and "being moved" in one.detail
