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
from extraction.deployment.compose import ComposeDeployment
from extraction.deployment.compose_project import ComposeProject
from extraction.deployment.local import LocalDeployment
from extraction.deployment.port import Deployment, DeploymentError
from extraction.dry_run import dry_run
from extraction.extract import Extract
from extraction.extraction import SOAK_SECONDS, Extraction, ExtractionStopped
from extraction.reintegrate import Reintegrate
from extraction.status import show_status
from infra import stages
from infra.runner.config import var_folder
from infra.runner.lock import Lock

EXTRACT, REINTEGRATE, STATUS = "extract", "reintegrate", "status"
PHASES = ("prepare", "backfill", "catch-up", "verify", "cutover", "soak")
DECIDED = ("cutover", "soak")
"""The phases that note themselves what follows, in the transaction of what they do."""
_SAYS = {
    "prepare": "what the move needs is brought up; nothing changes for anybody",
    "backfill": "what is there is copied, while people write",
    "catch-up": "what has changed meanwhile is copied",
    "verify": "both ends are compared, row by row",
    "cutover": "the owner changes",
    "soak": "the new owner is looked at for a while",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line asks for."""
    chosen = _parser().parse_args(arguments)
    console = _console()
    try:
        place = _place()
        if isinstance(place, ComposeProject):
            passed = sys.argv[1:] if arguments is None else arguments
            return compose_agent.run_in_container(place, passed)
        if chosen.what == STATUS:
            show_status(place, console)
            return 0
        with place.exclusive():
            return _go(place, chosen, console)
    except (ExtractionStopped, DeploymentError) as error:
        console.say(f"Stopped: {error}")
        return 1
    except Unavailable as failure:
        console.say(f"Stopped: {failure.detail} Run this again to go on.")
        return 1
    except KeyboardInterrupt:
        console.say("Stopped. Run this again to go on.")
        return 130


def _console() -> Console:
    if compose.is_inside_container():
        return Console(sys.stderr, bars="PROGRESS" in os.environ)
    return Console()


def _place() -> Deployment | ComposeProject:
    """Find the forum of `make run`, or the one in containers; DEPLOYMENT says which if both run."""
    if compose.is_inside_container():
        return ComposeDeployment()
    wanted = os.environ.get("DEPLOYMENT")
    if wanted not in {None, "", "local", "compose"}:
        msg = f"DEPLOYMENT is local or compose, not {wanted!r}."
        raise DeploymentError(msg)
    if wanted == "local" or (wanted != "compose" and Lock(var_folder(os.environ)).holder()):
        return LocalDeployment(os.environ)
    if found := compose_project.find_project(os.environ):
        return found
    containers = "`EXTRACTED= docker compose up`"
    if wanted == "compose":
        msg = f"No forum runs in containers from this folder; start one with {containers}."
    else:
        msg = (
            f"No forum runs from this folder; start one with `make run EXTRACTED=` or {containers}."
        )
    raise DeploymentError(msg)


def _go(place: Deployment, chosen: argparse.Namespace, console: Console) -> int:
    move = Extraction(place, chosen.domain, chosen.what, console, chosen.repair, chosen.soak)
    noted = move.load_status()
    under_way = noted is not None and noted.state != "settled"
    gone = chosen.domain in place.extracted
    if noted and noted.state == "settled" and gone != (noted.owner == chosen.domain):
        msg = f"The forum's database says that {noted.owner} keeps {chosen.domain}, its routes not."
        raise ExtractionStopped(msg)
    direction = noted.progress.get("direction") if noted and under_way else None
    if direction and direction != chosen.what:
        return _turn_back(move, str(direction), noted.phase if noted else "")
    if not under_way and gone == (chosen.what == EXTRACT):
        console.say(f"{chosen.domain} is {'out' if gone else 'in the monolith'} already.")
        return 0
    if chosen.dry_run:
        dry_run(move)
        return 0
    if noted and under_way:
        move.progress, move.phase = noted.progress, noted.phase or PHASES[0]
    first = move.phase
    way: Extract | Reintegrate = Extract(move) if chosen.what == EXTRACT else Reintegrate(move)
    if first != PHASES[0] and chosen.phase != PHASES[0]:
        console.say(f"Going on at {chosen.phase or first}.")
        if first != "soak":
            # What it started may have stopped with the whole forum.
            way.prepare()
    for phase in _wanted(chosen, first):
        console.phase(phase, _SAYS[phase])
        _steps(way)[phase]()
        if phase == move.phase and phase not in DECIDED:
            move.save_progress(PHASES[PHASES.index(phase) + 1])
    return 0


def _wanted(chosen: argparse.Namespace, first: str) -> Sequence[str]:
    """Give the phases to go through: all that are left, or the one that is asked for."""
    if not chosen.phase:
        return PHASES[PHASES.index(first) :]
    if first == "soak" != chosen.phase:
        msg = f"The owner of {chosen.domain} has changed; only `soak` is left."
        raise ExtractionStopped(msg)
    if PHASES.index(chosen.phase) > PHASES.index(first):
        msg = f"{chosen.domain} is at {first}; {chosen.phase} comes later."
        raise ExtractionStopped(msg)
    return (chosen.phase,)


def _steps(way: Extract | Reintegrate) -> dict[str, Callable[[], None]]:
    return {
        "prepare": way.prepare,
        "backfill": way.backfill,
        "catch-up": way.catch_up,
        "verify": way.verify,
        "cutover": way.cutover,
        "soak": way.soak,
    }


def _turn_back(move: Extraction, direction: str, phase: str) -> int:
    """Give up a move that is asked to go the other way."""
    if phase == "soak":
        msg = f"{move.domain} has just moved; let that move end first."
        raise ExtractionStopped(msg)
    noted = move.load_status()
    move.progress, move.phase = (noted.progress, noted.phase) if noted else ({}, "")
    way: Extract | Reintegrate = Extract(move) if direction == EXTRACT else Reintegrate(move)
    way.cancel()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m extraction", description=__doc__)
    commands = parser.add_subparsers(dest="what", required=True)
    for name in (EXTRACT, REINTEGRATE):
        command = commands.add_parser(name)
        command.add_argument("domain", choices=stages.DOMAINS)
        command.add_argument("--phase", choices=PHASES, help="do this phase only, once more")
        command.add_argument("--dry-run", action="store_true", help="only read everything")
        command.add_argument("--repair", action="store_true", help="replace copies that differ")
        command.add_argument("--soak", type=float, default=SOAK_SECONDS, metavar="SECONDS")
    commands.add_parser(STATUS)
    return parser


if __name__ == "__main__":
    sys.exit(main())
