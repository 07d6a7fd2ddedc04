"""Command line of recovery: `python -m recovery reconcile`.

`reconcile` compares all copies with their owners' records, `backup` copies the data of a forum of
`make run`, and `restore` puts it back.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from chassis.clock import utc_now
from chassis.errors import Unavailable
from extraction.console import Console
from extraction.deployment import compose_agent
from extraction.deployment.compose import is_inside_container
from extraction.deployment.compose_project import ComposeProject
from extraction.deployment.find import find_deployment
from extraction.deployment.port import DeploymentError
from infra import stages
from infra.runner.config import RunConfig, read_config, var_folder, with_current_stage
from infra.runner.lock import Lock
from recovery.backup import RestoreError, back_up, find_forum, restore, restore_service
from recovery.reconcile import Reconciliation, Report

SHOWN = 20


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return 1 if copies differ and were not repaired."""
    options = _parser().parse_args(arguments)
    console = Console(sys.stderr if is_inside_container() else None)
    if options.command == "backup":
        return _back_up()
    if options.command == "restore":
        return _restore(options.folder, options.domain)
    try:
        deployment = find_deployment()
        if isinstance(deployment, ComposeProject):
            passed = sys.argv[1:] if arguments is None else arguments
            return compose_agent.run_in_container(deployment, "recovery", passed)
        with deployment.exclusive():
            report = Reconciliation(
                deployment.endpoints, deployment.extracted, repair=options.repair
            ).run()
    except DeploymentError as error:
        console.say(f"Stopped: {error}")
        return 1
    except Unavailable as failure:
        console.say(f"Stopped: {failure.detail} Run this again.")
        return 1
    return _show(report, console, repaired=options.repair)


def _back_up() -> int:
    lock = Lock(var_folder(os.environ))
    holder = lock.holder()
    config = read_config(os.environ)
    if holder is not None:
        extracted = stages.parse(holder["extracted"])
        config = with_current_stage(RunConfig(extracted, holder["ports"], config.var))
    if not config.folder.exists():
        return _refuse(f"There is no data in {config.folder}.")
    print(f"Copied the data of the forum to {back_up(config, utc_now())}.")
    return 0


def _restore(folder: Path, domain: str | None) -> int:
    lock = Lock(var_folder(os.environ))
    if lock.holder() is not None:
        return _refuse("The forum is running; stop it with `make stop`.")
    environment = read_config(os.environ)
    try:
        config = find_forum(folder, environment.ports, environment.var)
        count = restore_service(config, folder, domain) if domain else restore(config, folder)
    except RestoreError as error:
        return _refuse(str(error))
    print(f"Restored {folder}; {count} records have a later version than before.")
    print("Start the forum, then run `make reconcile REPAIR=on`.")
    return 0


def _refuse(message: str) -> int:
    print(message, file=sys.stderr)
    return 1


def _show(report: Report, console: Console, *, repaired: bool) -> int:
    counts = ", ".join(f"{number} {domain}" for domain, number in report.compared.items())
    console.say(f"Compared {counts} with every copy of them.")
    for difference in report.differences[:SHOWN]:
        console.say(f"  {difference}")
    number = len(report.differences)
    if number > SHOWN:
        console.say(f"  and {number - SHOWN} more")
    if not number:
        console.say("No difference.")
        return 0
    if repaired:
        console.say(f"Repaired {number}; run this again to see that nothing is left.")
        return 0
    console.say(f"Found {number}; REPAIR=on repairs them.")
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m recovery", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("backup")
    command = commands.add_parser("restore")
    command.add_argument("folder", type=Path, help="the folder that `backup` named")
    command.add_argument("--domain", choices=stages.DOMAINS, help="only this service's tables")
    command = commands.add_parser("reconcile")
    command.add_argument("--repair", action="store_true", help="repair the copies that differ")
    return parser


if __name__ == "__main__":
    sys.exit(main())
