"""Move a domain of a running forum: `python -m extraction extract posts`.

`extract` takes it out of the monolith, `return` brings it back, `status` says where all stand.
A move that was stopped goes on where it was; the other direction gives it up, before the switch.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence

from chassis.errors import Unavailable
from extraction.console import Console
from extraction.deployment import compose, compose_agent, compose_project
from extraction.deployment.compose import ContainedPlace
from extraction.deployment.compose_project import Project
from extraction.deployment.local import LocalPlace
from extraction.deployment.port import Place, PlaceError
from extraction.dry_run import rehearse
from extraction.extract import Out
from extraction.extraction import WATCH_SECONDS, Move, StoppedError
from extraction.reintegrate import Back
from extraction.status import show
from infra import stages
from infra.runner.config import var_folder
from infra.runner.lock import Lock

EXTRACT, RETURN, STATUS = "extract", "return", "status"
PHASES = ("prepare", "backfill", "catch-up", "verify", "switch", "watch")
DECIDED = ("switch", "watch")
"""The phases that note themselves what follows, in the transaction of what they do."""
_SAYS = {
    "prepare": "what the move needs is brought up; nothing changes for anybody",
    "backfill": "what is there is copied, while people write",
    "catch-up": "what has changed meanwhile is copied",
    "verify": "both ends are compared, row by row",
    "switch": "the owner changes",
    "watch": "the new owner is looked at for a while",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line asks for."""
    chosen = _parser().parse_args(arguments)
    console = _console()
    try:
        place = _place()
        if isinstance(place, Project):
            passed = sys.argv[1:] if arguments is None else arguments
            return compose_agent.run(place, passed)
        if chosen.what == STATUS:
            show(place, console)
            return 0
        with place.alone():
            return _go(place, chosen, console)
    except (StoppedError, PlaceError) as error:
        console.say(f"Stopped: {error}")
        return 1
    except Unavailable as failure:
        console.say(f"Stopped: {failure.detail} Run this again to go on.")
        return 1
    except KeyboardInterrupt:
        console.say("Stopped. Run this again to go on.")
        return 130


def _console() -> Console:
    if compose.is_here():
        return Console(sys.stderr, bars="PROGRESS" in os.environ)
    return Console()


def _place() -> Place | Project:
    """Find the forum of `make run`, or the one in containers; STACK says which if both run."""
    if compose.is_here():
        return ContainedPlace()
    stack = os.environ.get("STACK")
    if stack not in {None, "", "run", "compose"}:
        msg = f"STACK is run or compose, not {stack!r}."
        raise PlaceError(msg)
    if stack == "run" or (stack != "compose" and Lock(var_folder(os.environ)).holder()):
        return LocalPlace(os.environ)
    if found := compose_project.find(os.environ):
        return found
    containers = "`EXTRACTED= docker compose up`"
    if stack == "compose":
        msg = f"No forum runs in containers from this folder; start one with {containers}."
    else:
        msg = (
            f"No forum runs from this folder; start one with `make run EXTRACTED=` or {containers}."
        )
    raise PlaceError(msg)


def _go(place: Place, chosen: argparse.Namespace, console: Console) -> int:
    move = Move(place, chosen.domain, chosen.what, console, chosen.mend, chosen.watch)
    noted = move.moved()
    under_way = noted is not None and noted.state != "settled"
    gone = chosen.domain in place.extracted
    if noted and noted.state == "settled" and gone != (noted.owner == chosen.domain):
        msg = f"The forum's database says that {noted.owner} keeps {chosen.domain}, its routes not."
        raise StoppedError(msg)
    direction = noted.progress.get("direction") if noted and under_way else None
    if direction and direction != chosen.what:
        return _turn_back(move, str(direction), noted.phase if noted else "")
    if not under_way and gone == (chosen.what == EXTRACT):
        console.say(f"{chosen.domain} is {'out' if gone else 'in the monolith'} already.")
        return 0
    if chosen.dry_run:
        rehearse(move)
        return 0
    if noted and under_way:
        move.progress, move.phase = noted.progress, noted.phase or PHASES[0]
    first = move.phase
    way: Out | Back = Out(move) if chosen.what == EXTRACT else Back(move)
    if first != PHASES[0] and chosen.phase != PHASES[0]:
        console.say(f"Going on at {chosen.phase or first}.")
        if first != "watch":
            # What it started may have stopped with the whole forum.
            way.prepare()
    for phase in _wanted(chosen, first):
        console.phase(phase, _SAYS[phase])
        _steps(way)[phase]()
        if phase == move.phase and phase not in DECIDED:
            move.note(PHASES[PHASES.index(phase) + 1])
    return 0


def _wanted(chosen: argparse.Namespace, first: str) -> Sequence[str]:
    """Give the phases to go through: all that are left, or the one that is asked for."""
    if not chosen.phase:
        return PHASES[PHASES.index(first) :]
    if first == "watch" != chosen.phase:
        msg = f"The owner of {chosen.domain} has changed; only `watch` is left."
        raise StoppedError(msg)
    if PHASES.index(chosen.phase) > PHASES.index(first):
        msg = f"{chosen.domain} is at {first}; {chosen.phase} comes later."
        raise StoppedError(msg)
    return (chosen.phase,)


def _steps(way: Out | Back) -> dict[str, Callable[[], None]]:
    return {
        "prepare": way.prepare,
        "backfill": way.backfill,
        "catch-up": way.catch_up,
        "verify": way.verify,
        "switch": way.switch,
        "watch": way.watch,
    }


def _turn_back(move: Move, direction: str, phase: str) -> int:
    """Give up a move that is asked to go the other way."""
    if phase == "watch":
        msg = f"{move.domain} has just moved; let that move end first."
        raise StoppedError(msg)
    noted = move.moved()
    move.progress, move.phase = (noted.progress, noted.phase) if noted else ({}, "")
    way: Out | Back = Out(move) if direction == EXTRACT else Back(move)
    way.cancel()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m extraction", description=__doc__)
    commands = parser.add_subparsers(dest="what", required=True)
    for name in (EXTRACT, RETURN):
        command = commands.add_parser(name)
        command.add_argument("domain", choices=stages.DOMAINS)
        command.add_argument("--phase", choices=PHASES, help="do this phase only, once more")
        command.add_argument("--dry-run", action="store_true", help="only read everything")
        command.add_argument("--mend", action="store_true", help="replace copies that differ")
        command.add_argument("--watch", type=float, default=WATCH_SECONDS, metavar="SECONDS")
    commands.add_parser(STATUS)
    return parser


if __name__ == "__main__":
    sys.exit(main())
