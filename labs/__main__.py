"""Command line of the labs: `python -m labs`, for `make lab`.

Without a command it prints where you are. Exit codes: 0 passed or done; 1 the step failed; 2 the
command line is wrong; 3 the check could not decide; 4 the code did not run.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from infra import local_environment
from infra.runner.config import LABS, ROOT
from labs import doctor, report
from labs.added_checks import AddedCheckError
from labs.course import Step, UnknownStepError, read_course
from labs.deployment_checks import PLACES
from labs.progress import Progress, ProgressError
from labs.removal import RemovalError
from labs.session import PASSED, WRONG, Session
from labs.workspace import Workspace, WorkspaceError

_ERRORS = (
    *(UnknownStepError, WorkspaceError, ProgressError, RemovalError, AddedCheckError),
    report.ReportError,
)


def main(arguments: Sequence[str] | None = None, repository: Path = ROOT) -> int:
    """Run the command line for a repository; return the exit code."""
    given = _parser().parse_args(arguments)
    folder = repository / "var" / LABS
    try:
        workspace = Workspace(folder / "workspace", repository)
        session = Session(read_course(), workspace, Progress(folder / "progress.json"))
        return int(given.run(session, given))
    except _ERRORS as error:
        sys.stderr.write(f"{error}\n")
        return WRONG
    except BrokenPipeError:
        # Somebody reads only the beginning of the output; nothing more may be written.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PASSED
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m labs", description=__doc__)
    parser.set_defaults(run=lambda session, _: session.show())
    commands = parser.add_subparsers(title="commands")

    start = commands.add_parser("start", help="check out a lab, with all earlier ones solved")
    start.add_argument("lab", type=int)
    start.set_defaults(run=lambda session, given: session.start(session.course.lab(given.lab)))

    check = commands.add_parser("check", help="check a step, by default the next one")
    check.add_argument("step", nargs="?")
    check.add_argument("--all", action="store_true", help="check every step of this lab")
    check.add_argument("--watch", action="store_true", help="check again after each change")
    check.add_argument("--on", choices=PLACES, help="check your deployment, not your code")
    check.add_argument(
        "--added-checks", type=Path, metavar="FOLDER", help="a teacher's, such as check_6_1.py"
    )
    check.set_defaults(run=_check)

    hint = commands.add_parser("hint", help="print one more hint")
    hint.add_argument("step", nargs="?")
    hint.set_defaults(run=lambda session, given: session.hint(session.chosen(given.step)))

    diff = commands.add_parser("diff", help="compare with the solution")
    diff.add_argument("step")
    diff.add_argument("--give-up", action="store_true", help="also before passing; recorded")
    diff.set_defaults(
        run=lambda session, given: session.diff(session.chosen(given.step), give_up=given.give_up)
    )

    reset = commands.add_parser("reset", help="put a step's files back to the start state")
    what = reset.add_mutually_exclusive_group(required=True)
    what.add_argument("step", nargs="?")
    what.add_argument("--all", action="store_true", help="the files of every step of this lab")
    reset.add_argument("--yes", action="store_true", help="do it")
    reset.set_defaults(run=_reset)

    quiz = commands.add_parser("quiz", help="ask the questions of a lab's knowledge check")
    quiz.add_argument("lab", type=int)
    quiz.set_defaults(run=lambda session, given: session.quiz(session.course.lab(given.lab)))

    contract = commands.add_parser("contract", help="run the contract suite on your code")
    contract.add_argument("-k", dest="selection", metavar="NAMES", help="only tests of these names")
    contract.set_defaults(run=_contract)

    reported = commands.add_parser("report", help="print points, attempts, hints and times")
    reported.add_argument("--format", choices=report.FORMATS, default="text")
    reported.add_argument("file", nargs="*", type=Path, help="files of other people's progress")
    reported.set_defaults(run=_report)

    examine = commands.add_parser("doctor", help="check what the labs need on this machine")
    examine.set_defaults(run=lambda session, _: doctor.main(session.console))
    return parser


def _check(session: Session, given: argparse.Namespace) -> int:
    if given.on:
        step = session.course.step(given.step) if given.step else session.chosen(None)
        return session.check_deployment(step, given.on)
    session.added = given.added_checks
    if given.all:
        return session.check_all()
    step = session.chosen(given.step)
    return session.watch(step) if given.watch else session.check(step)


def _reset(session: Session, given: argparse.Namespace) -> int:
    steps: Sequence[Step] = session.present_lab().steps
    if not given.all:
        steps = [session.chosen(given.step)]
    # Whole files also where one can't be parsed any more.
    return session.reset(steps, whole_files=given.all, confirmed=given.yes)


def _contract(session: Session, given: argparse.Namespace) -> int:
    return session.contract(["-k", given.selection] if given.selection else [])


def _report(session: Session, given: argparse.Namespace) -> int:
    people = report.read_people(given.file) if given.file else {"": session.progress}
    return report.write(session.course, people, given.format)


if __name__ == "__main__":
    local_environment.isolate()
    sys.exit(main())
