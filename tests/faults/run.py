"""A run of a stage under load and faults, with a verification after each."""

import random
import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from chassis import codec
from chassis.auth.tokens import TOKEN_LIFETIME, Issuer, Verifier
from chassis.clock import utc_now, uuid7
from infra import session_keys
from tests.faults.client import Exchange
from tests.faults.faults import Fault, Faults
from tests.faults.ledger import Ledger
from tests.faults.load import Load
from tests.faults.mesh import Mesh
from tests.faults.truth import Truth, settle
from tests.support.harness import Stack
from users.model import SessionClaims

QUIET_SECONDS = 1.0
"""The forum has recovered when nothing has failed for so long."""
RECOVERY_SECONDS = 60.0


@dataclass
class Report:
    """The effect of a fault on the users."""

    name: str
    requests: int
    writes: int
    failures: list[Exchange]
    cut: int  # of these: incomplete responses, because the server was killed at that moment
    recovery: float  # seconds from the end of the fault until the last failure
    settling: float  # seconds until all events were processed

    def line(self) -> str:
        """Return the report as a line of a table."""
        return (
            f"{self.name:<42} {self.requests:>6} {self.writes:>6} {len(self.failures):>6}"
            f" {self.cut:>4} {self.recovery:>7.1f} s {self.settling:>7.1f} s"
        )


HEADING = (
    f"{'fault':<42} {'asked':>6} {'writes':>6} {'failed':>6} {'cut':>4}"
    f" {'recovery':>9} {'settled':>9}"
)


@dataclass
class Run:
    """A stage with its mesh, its load, and the ledger of acknowledged writes."""

    stack: Stack
    mesh: Mesh
    seed: int
    reports: list[Report] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        self.ledger = Ledger()
        self.load = Load(self.stack.base_url, self.ledger, self.seed)
        self.faults = Faults(self.stack, self.mesh, self.rng)
        self.truth = Truth(self.stack, self.ledger)

    def endure(self, name: str, *faults: Fault) -> Report:
        """Run faults under load, wait until the forum has recovered, and verify it."""
        began, writes = time.monotonic(), self.ledger.writes
        with self.load.running(), ExitStack() as together:
            time.sleep(0.5)
            for fault in faults:
                together.enter_context(fault())
            ended = time.monotonic()
            last = self._recovered(ended)
        return self.check(name, began, writes, max(0.0, last - ended))

    @contextmanager
    def skewed(self, seconds: int) -> Iterator[None]:
        """Replace all sessions by ones from a clock that is ahead by some seconds."""
        secrets = self.stack.config.secrets_folder
        issuer = Issuer((secrets / session_keys.PRIVATE).read_text(encoding="utf-8"))
        verifier = Verifier(
            (secrets / session_keys.PUBLIC).read_text(encoding="utf-8"), SessionClaims
        )
        before = [member.client.token for member in self.load.members]
        ends = (
            utc_now()
            + timedelta(seconds=seconds)
            - (TOKEN_LIFETIME if seconds < 0 else timedelta())
        )
        for member, token in zip(self.load.members, before, strict=True):
            member_now = verifier.verify(token)
            member.client.token, _ = issuer.issue(
                member_now.subject, uuid7(), codec.to_json(member_now.claims), ends
            )
        try:
            yield
        finally:
            for member, token in zip(self.load.members, before, strict=True):
                member.client.token = token

    def check(self, name: str, began: float, writes: int, recovery: float) -> Report:
        """Wait until all events are processed, and verify all acknowledged writes."""
        settling = settle(self.stack)
        exchanges = self.load.records.since(began)
        report = Report(
            name,
            len(exchanges),
            self.ledger.writes - writes,
            self.load.records.failures(began),
            sum(one.status == 0 for one in exchanges),
            recovery,
            settling,
        )
        self.reports.append(report)
        wrong = self.truth.wrong()
        assert not wrong, f"seed {self.seed}, {name}:\n" + "\n".join(wrong[:20])
        odd = [one for one in exchanges if not one.problem or (one.status == 0 and not _kill(name))]
        assert not odd, f"seed {self.seed}, {name}: errors that are no problem+json: {odd[:5]}"
        return report

    def _recovered(self, since: float) -> float:
        """Wait until requests have succeeded for a while; return the time of the last failure."""
        while True:
            failures = self.load.records.failures(since)
            last = max((one.at + one.seconds for one in failures), default=since)
            now = time.monotonic()
            if now - last > QUIET_SECONDS:
                return last
            if now - since > RECOVERY_SECONDS:
                msg = f"seed {self.seed}: no recovery within {RECOVERY_SECONDS} s: {failures[-1]}"
                raise AssertionError(msg)
            time.sleep(0.1)


def write_seconds(exchanges: list[Exchange]) -> float:
    """Return the median seconds of successful writes of posts."""
    took = [
        one.seconds
        for one in exchanges
        if one.method == "POST" and one.path == "/api/posts" and one.status == 201
    ]
    return statistics.median(took)


def _kill(name: str) -> bool:
    """Return whether a fault kills a process, possibly in the middle of a response."""
    return "kill" in name
