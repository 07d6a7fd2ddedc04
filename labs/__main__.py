"""Command line of the labs: `python -m labs`, for `make lab`.

Without a command it prints where you are. Exit codes: 0 passed or done; 1 the step failed; 2 the
command line is wrong; 3 the check could not decide; 4 the code did not run.
"""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from infra import local_environment
from infra.runner.config import LABS, ROOT
from labs import doctor, report
from labs.console import Console
from labs.course import Course, Lab, Step, UnknownStepError, read_course
from labs.outcome import CheckInconclusive, CheckNotRun, StepFailed
from labs.progress import Progress, ProgressError
from labs.removal import RemovalError
from labs.tracebacks import find_last_error
from labs.workspace import Workspace, WorkspaceError, last_lines

PASSED, FAILED, WRONG, INCONCLUSIVE, NOT_RUN = range(5)
_WATCH_SECONDS = 0.5


def main(arguments: Sequence[str] | None = None, repository: Path = ROOT) -> int:
    """Run the command line for a repository; return the exit code."""
    given = _parser().parse_args(arguments)
    folder = repository / "var" / LABS
    try:
        workspace = Workspace(folder / "workspace", repository)
        session = Session(read_course(), workspace, Progress(folder / "progress.json"))
        return int(given.run(session, given))
    except (UnknownStepError, WorkspaceError, ProgressError, RemovalError) as error:
        sys.stderr.write(f"{error}\n")
        return WRONG
    except BrokenPipeError:
        # Somebody reads only the beginning of the output; nothing more may be written.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PASSED
    except KeyboardInterrupt:
        return 130


class Session:
    """A person's course: what there is, where they work, and how far they are."""

    def __init__(self, course: Course, workspace: Workspace, progress: Progress) -> None:
        self.course, self.workspace, self.progress = course, workspace, progress
        self.console = Console()

    def show(self) -> int:
        """Print the next step, and how many are done."""
        steps = self.course.steps
        done = sum(self.progress.step(step.id).passed for step in steps)
        step = self.next_step()
        self.console.say(f"[{done}/{len(steps)}] {self.workspace.folder}")
        if self.workspace.lab is None:
            first = self.course.labs[0].number
            self.console.say(f"Begin with make lab ARGS='start {first}'.")
            return PASSED
        if step is None:
            self.console.say("Every step of this lab has passed. The labs:")
            for lab in self.course.labs:
                self.console.say(f"  {lab.number:2} {lab.title}, {lab.minutes} minutes")
            return PASSED
        self.progress.record_begin(step.id)
        self.console.say(f"Step {step.id}: {step.title} (about {step.minutes} minutes)\n")
        self.console.say(step.text.strip())
        self.console.say("\nmake lab ARGS=check checks it, make lab ARGS=hint helps.")
        return PASSED

    def next_step(self) -> Step | None:
        """Return the first step of the present lab that has not passed."""
        number = self.workspace.lab
        if number is None:
            return None
        steps = self.course.lab(number).steps
        return next((step for step in steps if not self.progress.step(step.id).passed), None)

    def chosen(self, step_id: str | None) -> Step:
        """Return the named step, or the next one; raise UnknownStepError."""
        if not step_id and self.workspace.lab is None:
            first = self.course.labs[0].number
            msg = f"No lab is started yet: start {first}."
            raise UnknownStepError(msg)
        if step_id:
            step = self.course.step(step_id)
        else:
            found = self.next_step()
            if found is None:
                msg = "Every step of this lab has passed; name one, such as check 5.1."
                raise UnknownStepError(msg)
            step = found
        if self.workspace.lab != step.lab:
            msg = f"Step {step.id} belongs to lab {step.lab}: start {step.lab} first."
            raise UnknownStepError(msg)
        return step

    def start(self, lab: Lab) -> int:
        """Check out a lab."""
        if problems := doctor.find_problems(docker=lab.docker):
            for problem in problems:
                self.console.say(problem)
            return NOT_RUN
        is_new = self.workspace.start(lab.number, lab.removals)
        how = "Started" if is_new else "Continued"
        self.console.say(f"{how} lab {lab.number}: {lab.title}.")
        return self.show()

    def check(self, step: Step) -> int:
        """Check a step, and store the result; return the exit code."""
        began = time.monotonic()
        try:
            step.check(self.workspace)
        except StepFailed as failure:
            self.progress.record_failure(step.id, failure.diagnosis.name)
            self.console.say(f"Step {step.id} does not pass yet.\n")
            for line in failure.diagnosis.lines():
                self.console.say(line)
            return FAILED
        except CheckInconclusive as reason:
            self.console.say(f"The check of step {step.id} could not decide: {reason}")
            self.console.say("This does not count. Check again.")
            return INCONCLUSIVE
        except CheckNotRun as reason:
            self.console.say(f"The code did not run: {self._shorten(str(reason))}")
            self.console.say("This does not count as an attempt.")
            return NOT_RUN
        self.progress.record_pass(step.id)
        self.workspace.save(f"Step {step.id} passes")
        self.console.say(f"Step {step.id} passes ({time.monotonic() - began:.1f} s).\n")
        self.console.say(step.reason.strip())
        return PASSED

    def _shorten(self, output: str) -> str:
        error = find_last_error(output, self.workspace.folder)
        if error is None:
            return last_lines(output)
        return f"{error.text} ({error.where})" if error.where else error.text

    def watch(self, step: Step) -> int:
        """Check a step again whenever a file changes, until it passes."""
        while (code := self.check(step)) != PASSED:
            self.console.say("\nWaiting for a change; Ctrl-C ends this.")
            before = self.workspace.git("status", "--porcelain") + self._contents()
            while before == self.workspace.git("status", "--porcelain") + self._contents():
                time.sleep(_WATCH_SECONDS)
        return code

    def _contents(self) -> str:
        return self.workspace.git("diff", "--no-color")

    def hint(self, step: Step) -> int:
        """Print one more hint, as long as there are some."""
        read = self.progress.step(step.id).hints
        if read < len(step.hints):
            read = self.progress.record_hint(step.id)
        for text in step.hints[:read]:
            self.console.say(text)
        if read == len(step.hints):
            self.console.say(f"These are all hints; the solution: diff {step.id} --give-up.")
        return PASSED

    def diff(self, step: Step, *, give_up: bool) -> int:
        """Print how the code differs from the solution; before passing, only to who gives up."""
        if not self.progress.step(step.id).passed:
            if not give_up:
                self.console.say("Pass first, or add --give-up, which is recorded.")
                return FAILED
            self.progress.record_surrender(step.id)
        paths = sorted({removal.path for removal in step.removals})
        if not paths:
            self.console.say("The repository has no counterpart of this step.")
            return PASSED
        difference = self.workspace.compare(paths)
        self.console.say(difference or "Your files are those of the solution.")
        return PASSED

    def reset(self, step: Step, *, confirmed: bool) -> int:
        """Put a step's files back to the start state."""
        paths = sorted({removal.path for removal in step.removals})
        if not paths:
            self.console.say("This step has no files to put back.")
            return PASSED
        if not confirmed:
            self.console.say(f"This puts back: {', '.join(paths)}. Add --yes to do it.")
            return WRONG
        kept = self.workspace.restore(paths)
        self.console.say(f"Put back. Your files are in commit {kept}.")
        return PASSED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m labs", description=__doc__)
    parser.set_defaults(run=lambda session, _: session.show())
    commands = parser.add_subparsers(title="commands")

    start = commands.add_parser("start", help="check out a lab, with all earlier ones solved")
    start.add_argument("lab", type=int)
    start.set_defaults(run=lambda session, given: session.start(session.course.lab(given.lab)))

    check = commands.add_parser("check", help="check a step, by default the next one")
    check.add_argument("step", nargs="?")
    check.add_argument("--watch", action="store_true", help="check again after each change")
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
    reset.add_argument("step")
    reset.add_argument("--yes", action="store_true", help="do it")
    reset.set_defaults(
        run=lambda session, given: session.reset(session.chosen(given.step), confirmed=given.yes)
    )

    reported = commands.add_parser("report", help="print points, attempts, hints and times")
    reported.add_argument("--format", choices=report.FORMATS, default="text")
    reported.set_defaults(
        run=lambda session, given: report.write(session.course, session.progress, given.format)
    )

    examine = commands.add_parser("doctor", help="check what the labs need on this machine")
    examine.set_defaults(run=lambda session, _: doctor.main(session.console))
    return parser


def _check(session: Session, given: argparse.Namespace) -> int:
    step = session.chosen(given.step)
    return session.watch(step) if given.watch else session.check(step)


if __name__ == "__main__":
    local_environment.isolate()
    sys.exit(main())
