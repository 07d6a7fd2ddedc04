"""A person's session: what the commands of the labs do."""

import time
from collections.abc import Sequence
from pathlib import Path

from labs import doctor
from labs.added_checks import find_added_check
from labs.console import Console
from labs.contract import run_contract
from labs.course import Course, Lab, Step, UnknownStepError
from labs.deployment_checks import CHECKS as DEPLOYMENT_CHECKS
from labs.links import name_paths
from labs.outcome import CheckInconclusive, CheckNotRun, Diagnosis, StepFailed
from labs.progress import Progress
from labs.questions import ask_all
from labs.removal import Body, Text
from labs.tracebacks import UNWRITTEN, find_last_error
from labs.workspace import Workspace, last_lines

PASSED, FAILED, WRONG, INCONCLUSIVE, NOT_RUN = range(5)
"""Exit codes."""
_WATCH_SECONDS = 0.5


class Session:
    """A person's course: what there is, where they work, and how far they are."""

    def __init__(self, course: Course, workspace: Workspace, progress: Progress) -> None:
        """Open the course; `added` is a teacher's folder of checks, None without one."""
        self.course, self.workspace, self.progress = course, workspace, progress
        self.console = Console()
        self.added: Path | None = None

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
            self._say_that_lab_is_done()
            self.console.say("The labs:")
            for lab in self.course.labs:
                self.console.say(f"  {lab.number:2} {lab.title}, {lab.minutes} minutes")
            return PASSED
        self.progress.record_begin(step.id)
        self.console.say(f"Step {step.id}: {step.title} (about {step.minutes} minutes)\n")
        self.console.say(name_paths(step.text.strip(), step.source))
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
        if step_id:
            step = self.course.step(step_id)
        else:
            self.present_lab()
            found = self.next_step()
            if found is None:
                first = self.present_lab().steps[0].id
                msg = f"Every step of this lab has passed; name one, such as check {first}."
                raise UnknownStepError(msg)
            step = found
        if self.workspace.lab != step.lab:
            msg = f"Step {step.id} belongs to another lab: make lab ARGS='start {step.lab}'."
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
        added = find_added_check(self.added, step) if self.added else None
        try:
            step.check(self.workspace)
            if added:
                added(self.workspace)
        except StepFailed as failure:
            if failure.diagnosis.name == UNWRITTEN:
                return self._say_unwritten(step, failure.diagnosis)
            self.progress.record_failure(step.id, failure.diagnosis.name)
            self._say_failure(step, failure.diagnosis)
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
        if added:
            self.console.say(f"That includes the check that {self.added} adds.\n")
        self.console.say(name_paths(step.reason.strip(), step.source))
        self.console.say("")
        if self.next_step() is None:
            self._say_that_lab_is_done()
        else:
            self.console.say("make lab shows the next step.")
        return PASSED

    def _say_failure(self, step: Step, diagnosis: Diagnosis) -> None:
        self.console.say(f"Step {step.id} does not pass yet.\n")
        for line in diagnosis.lines():
            self.console.say(line)

    def _say_unwritten(self, step: Step, diagnosis: Diagnosis) -> int:
        label = diagnosis.got.rpartition("Lab ")[2]
        if label != step.id:
            self.console.say(f"Step {step.id} needs step {label}, which is not written yet.")
            return NOT_RUN
        self._say_failure(step, diagnosis)
        self.console.say("\nThis does not count as an attempt.")
        return FAILED

    def check_deployment(self, step: Step, place: str) -> int:
        """Check what a person deployed for a step; the result is not stored."""
        if step.id not in DEPLOYMENT_CHECKS:
            known = ", ".join(DEPLOYMENT_CHECKS)
            msg = f"Step {step.id} has no check of a deployment; {known} have one."
            raise UnknownStepError(msg)
        # With the libraries of AWS and of the CDK, which would slow down every other command.
        from labs.deployment_probe import open_deployment  # noqa: PLC0415

        try:
            DEPLOYMENT_CHECKS[step.id](open_deployment(place))
        except StepFailed as failure:
            for line in failure.diagnosis.lines():
                self.console.say(line)
            return FAILED
        except CheckNotRun as reason:
            self.console.say(f"Not checked: {reason}")
            return NOT_RUN
        self.console.say(f"The deployment does what step {step.id} asks for.")
        return PASSED

    def check_all(self) -> int:
        """Check every step of the present lab, and return the greatest exit code."""
        lab = self.present_lab()
        return max(self.check(step) for step in lab.steps)

    def contract(self, options: Sequence[str]) -> int:
        """Run the contract suite at the stage of the present lab; return the exit code."""
        lab = self.present_lab()
        self.console.say(f"The contract suite, with your code, at the stage {lab.stage}.")
        try:
            return PASSED if run_contract(self.workspace, lab.stage, options) else FAILED
        except CheckNotRun as reason:
            self.console.say(f"Not run: {reason}.")
            return NOT_RUN

    def quiz(self, lab: Lab) -> int:
        """Ask the questions of a lab's knowledge check."""
        try:
            right = ask_all(lab.questions, self.console.say, input)
        except EOFError:
            self.console.say("Ended.")
            return WRONG
        self.console.say(f"{right} of {len(lab.questions)} right.")
        return PASSED

    def present_lab(self) -> Lab:
        """Return the lab whose branch is checked out; raise UnknownStepError."""
        number = self.workspace.lab
        if number is None:
            first = self.course.labs[0].number
            msg = f"No lab is started yet: make lab ARGS='start {first}'."
            raise UnknownStepError(msg)
        return self.course.lab(number)

    def _say_that_lab_is_done(self) -> None:
        lab = self.present_lab()
        self.console.say(f"Every step of lab {lab.number} has passed.")
        if lab.questions:
            self.console.say(f"make lab ARGS='quiz {lab.number}' asks what you know now.")
        self.console.say("make lab ARGS=contract runs the contract suite on your code, in minutes.")

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
        if not step.removals:
            self.console.say("The repository has no counterpart of this step.")
            return PASSED
        difference = self.workspace.compare(step.removals)
        self.console.say(difference or "Your files are those of the solution.")
        return PASSED

    def reset(self, steps: Sequence[Step], *, whole_files: bool, confirmed: bool) -> int:
        """Put the code of steps back to the start state: functions, or files of other texts."""
        paths = sorted(
            {
                each.path
                for step in steps
                for each in step.removals
                if whole_files or isinstance(each, Text)
            }
        )
        bodies = {
            each: f"Lab {step.id}"
            for step in steps
            for each in step.removals
            if isinstance(each, Body) and each.path not in paths
        }
        if not paths and not bodies:
            self.console.say("There is nothing to put back.")
            return PASSED
        reopened = [
            step
            for step in self.present_lab().steps
            if step in steps or any(each.path in paths for each in step.removals)
        ]
        if not confirmed:
            self.console.say(f"This puts back: {', '.join([*map(str, bodies), *paths])}.")
            if others := ", ".join(step.id for step in reopened if step not in steps):
                self.console.say(f"With these files it also takes the code of step {others}.")
            self.console.say("Add --yes to do it.")
            return WRONG
        kept = self.workspace.restore(paths, bodies)
        for step in reopened:
            self.progress.reopen(step.id)
        self.console.say(f"Put back. Your files are in commit {kept}.")
        return PASSED
