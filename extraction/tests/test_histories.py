"""Generated histories: what may happen to records between, and within, the phases of moves.

They are the same each time, unless SEED is set. EXAMPLES sets their number, and SHRINK=1 simplifies
one that fails, which takes some minutes.
"""

import os
import sys
from collections import Counter
from typing import Any

import hypothesis
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from extraction.__main__ import EXTRACT, PHASES, REINTEGRATE
from extraction.extraction import ExtractionStopped
from extraction.tests.conftest import MakeForum
from extraction.tests.support.history import OPERATIONS, History, chosen
from extraction.tests.support.live_forum import MONOLITH, LiveForum, MoverKilled
from forum.domains import NAMES

SEED = int(os.environ.get("SEED", "0"))
EXAMPLES = 20
CHOICE = st.integers(0, 5)
BEGINNING = (*["register_user"] * 3, *["start_thread"] * 2, *["write_post"] * 4)
WRITE = st.tuples(st.sampled_from(sorted(OPERATIONS)), CHOICE, CHOICE)
MEANWHILE = st.lists(WRITE | st.none(), max_size=6)
"""What happens while the mover works; None: the workers work."""


class Moves(RuleBasedStateMachine):
    """Histories of a forum with moves of all domains, in both directions."""

    def __init__(self, make: MakeForum, acknowledged: Counter[tuple[str, str]]) -> None:
        super().__init__()
        self._make, self._acknowledged = make, acknowledged
        self._forum: LiveForum | None = None
        self._moving, self._direction = "", ""
        self._pending: list[tuple[str, int, int] | None] = []
        self._killed_in: int | None = None

    @initialize(extracted=st.frozensets(st.sampled_from(NAMES)), seed=st.integers(0, 2**16))
    def begin(self, extracted: frozenset[str], seed: int) -> None:
        self._forum = self._make(extracted, seed)
        self._forum.happen = self._happen
        self._history = History(self._forum, self._acknowledged)
        for number, operation in enumerate(BEGINNING):
            self._history.write(operation, number, number)

    @property
    def forum(self) -> LiveForum:
        assert self._forum
        return self._forum

    @rule(writes=st.lists(WRITE, min_size=1, max_size=5))
    def write(self, writes: list[tuple[str, int, int]]) -> None:
        for write in writes:
            self._history.write(*write)

    @rule(seconds=st.integers(1, 20))
    def wait(self, seconds: int) -> None:
        self.forum.time.sleep(seconds)

    @rule(choice=CHOICE, count=st.integers(1, 3))
    def consume(self, choice: int, count: int) -> None:
        if component := chosen(self.forum.components, choice):
            self.forum.consume(component, count)

    @rule(choice=CHOICE)
    def publish(self, choice: int) -> None:
        if component := chosen(self.forum.components, choice):
            self.forum.publish(component)

    @rule(choice=CHOICE)
    def stall(self, choice: int) -> None:
        if component := chosen(self.forum.components, choice):
            self.forum.stalled[component] = self.forum.time.time()

    @rule(domain=st.sampled_from(NAMES), meanwhile=MEANWHILE)
    def run_next_phase(self, domain: str, meanwhile: Any) -> None:
        self._choose(domain)
        self._run(meanwhile, None, self._due())

    @precondition(lambda self: self._moving)
    @rule(earlier=st.sampled_from(PHASES[:4]), meanwhile=MEANWHILE)
    def repeat_phase(self, earlier: str, meanwhile: Any) -> None:
        due = self._due()
        if due != "soak" and PHASES.index(earlier) < PHASES.index(due):
            self._run(meanwhile, None, earlier)

    @rule(
        domain=st.sampled_from(NAMES), meanwhile=MEANWHILE, killed_in=st.none() | st.integers(1, 25)
    )
    def run_to_the_end(self, domain: str, meanwhile: Any, killed_in: int | None) -> None:
        self._choose(domain)
        self._run(meanwhile, killed_in)

    @precondition(lambda self: self._moving and self._due() != "soak")
    @rule()
    def cancel(self) -> None:
        opposite = REINTEGRATE if self._direction == EXTRACT else EXTRACT
        self.forum.run(opposite, self._moving)
        self._moving = ""

    @invariant()
    def owners_show_what_they_acknowledged(self) -> None:
        if self._forum:
            self._history.check_owners()

    def teardown(self) -> None:
        if not self._forum:
            return
        try:
            self.forum.stalled.clear()
            if self._moving:
                self._run([], None)
            assert not self._moving, "the move does not end"
            self.forum.settle()
            self._history.check_settled()
        finally:
            self.forum.close()

    def _choose(self, domain: str) -> None:
        """Choose the domain to move, unless one is moving."""
        if not self._moving:
            owned = self.forum.owner(domain) == MONOLITH
            self._moving, self._direction = domain, EXTRACT if owned else REINTEGRATE

    def _due(self) -> str:
        known = self.forum.endpoints.transitions.load_all().get(self._moving)
        return (known.phase if known and known.state != "settled" else "") or PHASES[0]

    def _run(self, meanwhile: Any, killed_in: int | None, phase: str = "") -> None:
        self._pending, self._killed_in = list(meanwhile), killed_in
        last = phase == "soak" or not phase
        try:
            self.forum.run(self._direction, self._moving, phase)
        except MoverKilled:
            return
        except ExtractionStopped as stopped:
            # Only a consumer that stands still may hold up a move.
            if not self.forum.stalled or "Only the copy has" not in str(stopped):
                raise
            return
        finally:
            self._pending, self._killed_in = [], None
        if last:
            self._moving = ""

    def _happen(self) -> None:
        if self._killed_in is not None:
            self._killed_in -= 1
            if self._killed_in <= 0:
                raise MoverKilled
        if self._pending:
            if write := self._pending.pop(0):
                self._history.write(*write)
            else:
                self.forum.work()


def test_no_history_of_writes_and_events_breaks_a_move(make_forum: MakeForum) -> None:
    acknowledged = Counter[tuple[str, str]]()
    sys.stdout.write(f"SEED={SEED} repeats this run.\n")
    machine: Any = hypothesis.seed(SEED)(lambda: Moves(make_forum, acknowledged))
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=int(os.environ.get("EXAMPLES", EXAMPLES)),
            stateful_step_count=20,
            deadline=None,
            database=None,
            print_blob=False,
            phases=[Phase.generate, *([Phase.shrink] if os.environ.get("SHRINK") else [])],
            suppress_health_check=list(HealthCheck),
        ),
    )
    assert {operation for operation, _ in acknowledged} == OPERATIONS.keys()
    written = {(OPERATIONS[operation], owner) for operation, owner in acknowledged}
    assert written == {(domain, owner) for domain in NAMES for owner in (MONOLITH, domain)}
