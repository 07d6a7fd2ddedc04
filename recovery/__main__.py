"""Command line of recovery: `python -m recovery reconcile`."""

import argparse
import sys
from collections.abc import Sequence

from chassis.errors import Unavailable
from extraction.console import Console
from extraction.deployment import compose_agent
from extraction.deployment.compose import is_inside_container
from extraction.deployment.compose_project import ComposeProject
from extraction.deployment.find import find_deployment
from extraction.deployment.port import DeploymentError
from recovery.reconcile import Reconciliation, Report

SHOWN = 20


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return 1 if copies differ and were not repaired."""
    options = _parser().parse_args(arguments)
    console = Console(sys.stderr if is_inside_container() else None)
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
    command = commands.add_parser("reconcile")
    command.add_argument("--repair", action="store_true", help="repair the copies that differ")
    return parser


if __name__ == "__main__":
    sys.exit(main())
