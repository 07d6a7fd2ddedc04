"""Generated histories: what may happen to records between, and within, the phases of moves.

They are the same each time, unless SEED is set. EXAMPLES sets their number, and SHRINK=1 simplifies
one that fails, which takes some minutes.
"""

import os
import sys
from collections import Counter
from dataclasses import dataclass

import hypothesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from extraction.__main__ import EXTRACT, PHASES, REINTEGRATE
from extraction.tests.conftest import MakeForum
from extraction.tests.support.history import OPERATIONS, History, chosen
from extraction.tests.support.live_forum import MONOLITH, LiveForum, MoverKilled
from forum.domains import NAMES

SEED = int(os.environ.get("SEED", "0"))
EXAMPLES = int(os.environ.get("EXAMPLES", "20"))
Happening = tuple[str, int, int]
"""An operation, or something else by name, with two numbers that choose what it is done to."""
BEGINNING = (*["register_user"] * 3, *["start_thread"] * 2, *["write_post"] * 4)
WORKERS = ("work", "work", "consume", "consume", "stall", "pause")
MOST = 4  # of what happens before a phase, and within it


@dataclass
class PlannedMove:
    """A move, and for each of its phases what happens before it and within it."""

    domain: str
    before: list[list[Happening]]
    within: list[list[Happening]]
    arrived: list[bool]
    """Before which phases all events arrive."""

    repeated: list[bool]
    """The phases that are run twice."""

    at_once: int
    """The phase from which on one process runs all."""

    killed_in: int
    """The line of output at which that process dies; 0 if it does not."""

    cancelled_at: int
    """The phase instead of which the move is cancelled; 0 if it is not."""


@st.composite
def planned_moves(draw: st.DrawFn) -> PlannedMove:
    """Draw a move; more than half of the writes go to the domain that moves."""
    domain = draw(st.sampled_from(NAMES))
    own = [name for name, of_domain in OPERATIONS.items() if of_domain == domain]
    choice = st.integers(0, 5)
    happening = st.tuples(st.sampled_from([*own * 3, *OPERATIONS, *WORKERS]), choice, choice)
    flags = st.lists(st.booleans(), min_size=6, max_size=6)
    lists = st.lists(st.lists(happening, max_size=MOST), min_size=6, max_size=6)
    return PlannedMove(
        domain,
        draw(lists),
        draw(lists),
        draw(flags),
        draw(flags),
        draw(st.integers(0, 6)),
        draw(st.just(0) | st.integers(1, 25)),
        draw(st.just(0) | st.just(0) | st.integers(1, 4)),
    )


class Story:
    """A forum, its history, and the move that is under way."""

    def __init__(self, forum: LiveForum, acknowledged: Counter[tuple[str, str]]) -> None:
        self.forum = forum
        self.history = History(forum, acknowledged)
        self._pending: list[Happening] = []
        self._lines_left = 0
        forum.happen = self._happen
        for number, operation in enumerate(BEGINNING):
            self.history.write(operation, number, number)

    def move(self, plan: PlannedMove) -> None:
        """Move a domain to its other owner, or begin to."""
        owned = self.forum.owner(plan.domain) == MONOLITH
        direction, opposite = (EXTRACT, REINTEGRATE) if owned else (REINTEGRATE, EXTRACT)
        killed_in = plan.killed_in
        for number, phase in enumerate(PHASES):
            self._do(plan.before[number])
            if plan.arrived[number]:
                self.forum.work()
            # After its cutover a move can only be finished; a killed mover may have come this far.
            if number and number == plan.cancelled_at and self._due(plan.domain) != "soak":
                self.forum.run(opposite, plan.domain)
                return
            if number >= plan.at_once:
                within = [one for happenings in plan.within[number:] for one in happenings]
                if self._run(direction, plan.domain, "", within, killed_in):
                    return
                killed_in = 0  # the next phase's turn, by another process
            else:
                self._run(direction, plan.domain, phase, plan.within[number])
                if plan.repeated[number] and number < PHASES.index("cutover"):
                    self._run(direction, plan.domain, phase, [])
        self.forum.stalled.clear()
        if self._is_moving(plan.domain):
            assert self._run(direction, plan.domain, "", []), "the move does not end"

    def end(self) -> None:
        """Let everything arrive, and compare all copies."""
        self.forum.settle()
        self.history.check_settled()

    def _run(
        self, direction: str, domain: str, phase: str, within: list[Happening], killed_in: int = 0
    ) -> bool:
        """Run one phase if it is due, or all; return whether nothing held up the mover."""
        if phase and phase not in PHASES[: PHASES.index(self._due(domain)) + 1]:
            return False
        if phase and self._due(domain) == "soak" != phase:
            return False
        self._pending, self._lines_left = list(within), killed_in
        try:
            self.forum.run(direction, domain, phase)
        except MoverKilled:
            return False
        finally:
            self._pending, self._lines_left = [], 0
            self.history.check_owners()
        return True

    def _is_moving(self, domain: str) -> bool:
        known = self.forum.endpoints.transitions.load_all().get(domain)
        return known is not None and known.state != "settled"

    def _due(self, domain: str) -> str:
        known = self.forum.endpoints.transitions.load_all().get(domain)
        return (known.phase if known and known.state != "settled" else "") or PHASES[0]

    def _happen(self) -> None:
        """Do what is planned for the middle of a phase, a piece at a time."""
        if self._lines_left:
            self._lines_left -= 1
            if not self._lines_left:
                raise MoverKilled
        if self._pending:
            self._do([self._pending.pop(0)])

    def _do(self, happenings: list[Happening]) -> None:
        for name, one, other in happenings:
            component = chosen(self.forum.components, one)
            if name in OPERATIONS:
                self.history.write(name, one, other)
            elif name == "pause":
                self.forum.time.sleep(one * other)
            elif name == "work":
                self.forum.work()
            elif name == "stall" and component:
                self.forum.stalled[component] = self.forum.time.time()
            elif name == "consume" and component:
                self.forum.publish(component)
                self.forum.consume(component, 1 + other)


def test_no_history_of_writes_and_events_breaks_a_move(make_forum: MakeForum) -> None:
    acknowledged = Counter[tuple[str, str]]()

    @hypothesis.seed(SEED)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate, *([Phase.shrink] if os.environ.get("SHRINK") else [])],
        suppress_health_check=list(HealthCheck),
    )
    @given(
        extracted=st.frozensets(st.sampled_from(NAMES)),
        seed=st.integers(0, 2**16),
        plans=st.lists(planned_moves(), min_size=2, max_size=3),
    )
    def run(extracted: frozenset[str], seed: int, plans: list[PlannedMove]) -> None:
        hypothesis.note(f"{extracted=} {seed=}\n{plans=}")
        forum = make_forum(extracted, seed)
        try:
            story = Story(forum, acknowledged)
            for plan in plans:
                story.move(plan)
            story.end()
        finally:
            forum.close()

    sys.stdout.write(f"SEED={SEED} repeats this run.\n")
    run()
    assert {operation for operation, _ in acknowledged} == OPERATIONS.keys()
    written = {(OPERATIONS[operation], owner) for operation, owner in acknowledged}
    assert written == {(domain, owner) for domain in NAMES for owner in (MONOLITH, domain)}
