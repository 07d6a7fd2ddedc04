"""Command line of live extraction: `python -m extraction extract posts`.

`extract` moves a domain from the monolith to its service, `reintegrate` moves it back, `status`
shows all domains. An interrupted move resumes where it was; before the cutover, `cancel` or the
opposite direction cancels it.
"""

import argparse
import os
import signal
import sys
from collections.abc import Callable, Sequence

from botocore.exceptions import BotoCoreError, ClientError

from chassis.errors import Unavailable
from extraction.console import Console
from extraction.deployment import compose, compose_agent
from extraction.deployment.compose_project import ComposeProject
from extraction.deployment.find import (
    DEPLOY_LOCAL,
    ECS,
    find_deployment,
    is_inside_task,
    read_place,
)
from extraction.deployment.port import Deployment, DeploymentError
from extraction.dry_run import dry_run
from extraction.extract import Extract
from extraction.extraction import SOAK_SECONDS, Extraction, ExtractionStopped
from extraction.reintegrate import Reintegrate
from extraction.status import show_offline_deployments, show_status
from infra import local_environment, stages

EXTRACT, REINTEGRATE, CANCEL, STATUS = "extract", "reintegrate", "cancel", "status"
PHASES = ("prepare", "backfill", "catch-up", "verify", "cutover", "soak")
SELF_RECORDED = ("cutover", "soak")
"""The phases that store the next phase themselves, in their own transaction."""
_DESCRIPTIONS = {
    "prepare": "start what the move needs; nothing changes for users",
    "backfill": "copy the existing records, while users write",
    "catch-up": "copy what changed during the backfill",
    "verify": "compare both sides, record by record",
    "cutover": "freeze writes for a moment and change the owner",
    "soak": "check the new owner for a while",
}
_WOULD_CANCEL = "This would cancel the move that is in progress. Nothing was changed."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    options = _parser().parse_args(arguments)
    if options.command != STATUS and options.domain not in stages.DOMAINS:
        sys.stderr.write(_wrong_domain(options.domain))
        return 2
    console = _console()
    given = sys.argv[1:] if arguments is None else arguments
    try:
        if (place := read_place(os.environ)) in {DEPLOY_LOCAL, ECS}:
            return _run_in_task(place, given, getattr(options, "domain", None))
        deployment = _find_deployment(options.command, console)
        if deployment is None:
            return 0
        if isinstance(deployment, ComposeProject):
            return compose_agent.run_in_container(deployment, "extraction", given)
        if options.command == STATUS:
            show_status(deployment, console)
            return 0
        with deployment.exclusive():
            return _run(deployment, options, console)
    except (ExtractionStopped, DeploymentError) as error:
        console.say(f"Stopped: {error}")
        return 1
    except (BotoCoreError, ClientError) as error:
        console.say(f"Stopped: {str(error).rstrip('.')}. Run this again to resume.")
        return 1
    except Unavailable as failure:
        console.say(f"Stopped: {failure.detail} Run this again to resume.")
        return 1
    except KeyboardInterrupt:
        console.say("Stopped. Run this again to resume.")
        return 130


def _run_in_task(place: str, arguments: Sequence[str], domain: str | None) -> int:
    # It needs the CDK app's library, which only deployments install.
    from extraction.deployment import ecs_agent  # noqa: PLC0415

    return ecs_agent.run_in_task(place, "extraction", arguments, domain)


def _wrong_domain(domain: str) -> str:
    *names, last = stages.DOMAINS
    found = f", not {domain!r}" if domain else f", as in DOMAIN={last}"
    return f"DOMAIN must be {', '.join(names)} or {last}{found}.\n"


def _find_deployment(command: str, console: Console) -> Deployment | ComposeProject | None:
    """Find the forum; None if a status is that of the deployments of `make deploy-local` alone."""
    inside = compose.is_inside_container() or is_inside_task()
    if command != STATUS or inside or read_place(os.environ):
        return find_deployment()
    count = show_offline_deployments(console)
    try:
        found = find_deployment()
    except DeploymentError:
        if not count:
            raise
        return None
    if count:
        console.say("The forum of make run or docker compose:")
    return found


def _console() -> Console:
    if compose.is_inside_container():
        return Console(sys.stderr, bars="PROGRESS" in os.environ)
    return Console()


def _run(deployment: Deployment, options: argparse.Namespace, console: Console) -> int:
    move = Extraction(
        deployment, options.domain, options.command, console, options.repair, options.soak
    )
    status = move.load_status()
    moving = status is not None and status.state != "settled"
    is_out = options.domain in deployment.extracted
    if status and not moving and is_out != (status.owner == options.domain):
        msg = (
            f"The database says that {status.owner} owns {options.domain}, but the routes disagree."
        )
        raise ExtractionStopped(msg)
    direction = status.progress.get("direction") if status and moving else None
    if direction and direction != options.command:
        return _cancel(
            move, str(direction), status.phase if status else "", dry_run=options.dry_run
        )
    cancelling = options.command == CANCEL
    if cancelling or (not moving and is_out == (options.command == EXTRACT)):
        if options.domain in deployment.moving:
            if options.dry_run:
                console.say(_WOULD_CANCEL)
                return 0
            _direction(move, REINTEGRATE if is_out else EXTRACT).cancel_before_begin()
            return 0
        owner = "by its service" if is_out else "by the monolith"
        said = f"{options.domain} is {'' if cancelling else 'already '}owned {owner}."
        if options.phase not in {None, "soak"}:
            raise ExtractionStopped(said)
        console.say(said)
        return 0
    if options.dry_run:
        dry_run(move)
        return 0
    if status and moving:
        move.progress, move.phase = status.progress, status.phase or PHASES[0]
    _run_phases(move, options, console)
    return 0


def _run_phases(move: Extraction, options: argparse.Namespace, console: Console) -> None:
    first = move.phase
    wanted = _wanted_phases(options, first)
    phases = _phases(move, options.command)
    if first != PHASES[0] and options.phase != PHASES[0]:
        console.say(f"Resuming at {options.phase or first}.")
        if first != "soak":
            # The processes started by this phase may have stopped together with the forum.
            phases[PHASES[0]]()
    for phase in wanted:
        console.phase(phase, _DESCRIPTIONS[phase])
        phases[phase]()
        if phase == move.phase and phase not in SELF_RECORDED:
            move.save_progress(PHASES[PHASES.index(phase) + 1])


def _wanted_phases(options: argparse.Namespace, first: str) -> Sequence[str]:
    """Return the phases to run: all remaining ones, or the one in PHASE."""
    if not options.phase:
        return PHASES[PHASES.index(first) :]
    if first == "soak" and options.phase == "cutover":
        return ()  # it was stopped right after it
    if first == "soak" != options.phase:
        msg = f"The owner of {options.domain} has changed; only `soak` is left."
        raise ExtractionStopped(msg)
    if PHASES.index(options.phase) > PHASES.index(first):
        msg = f"{options.domain} is in phase {first}; {options.phase} comes later."
        raise ExtractionStopped(msg)
    return (options.phase,)


def _direction(move: Extraction, direction: str) -> Extract | Reintegrate:
    return Extract(move) if direction == EXTRACT else Reintegrate(move)


def _phases(move: Extraction, direction: str) -> dict[str, Callable[[], None]]:
    steps = _direction(move, direction)
    return {
        "prepare": steps.prepare,
        "backfill": steps.backfill,
        "catch-up": steps.catch_up,
        "verify": steps.verify,
        "cutover": steps.cutover,
        "soak": steps.soak,
    }


def _cancel(move: Extraction, direction: str, phase: str, *, dry_run: bool) -> int:
    """Cancel a move in this direction, before its cutover."""
    if phase == "soak":
        msg = f"{move.domain} has just moved; let that move finish first."
        raise ExtractionStopped(msg)
    if dry_run:
        move.console.say(_WOULD_CANCEL)
        return 0
    status = move.load_status()
    move.progress, move.phase = (status.progress, status.phase) if status else ({}, "")
    _direction(move, direction).cancel()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m extraction", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in (EXTRACT, REINTEGRATE):
        command = commands.add_parser(name)
        command.add_argument("domain", help=", ".join(stages.DOMAINS))
        command.add_argument("--phase", choices=PHASES, help="run only this phase again")
        command.add_argument(
            "--dry-run", action="store_true", help="read everything, write nothing"
        )
        command.add_argument("--repair", action="store_true", help="replace copies that differ")
        command.add_argument("--soak", type=float, default=SOAK_SECONDS, metavar="SECONDS")
    cancel = commands.add_parser(CANCEL)
    cancel.add_argument("domain", help=", ".join(stages.DOMAINS))
    cancel.set_defaults(phase=None, dry_run=False, repair=False, soak=SOAK_SECONDS)
    commands.add_parser(STATUS)
    return parser


if __name__ == "__main__":
    if is_inside_task():
        # ECS stops a task with this signal; a mover ends with a message, as after Ctrl-C.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    elif not compose.is_inside_container() and os.environ.get("PLACE") != ECS:
        local_environment.isolate()
    sys.exit(main())
