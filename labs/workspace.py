"""The workspace: a git worktree under `var/labs`, in which a person writes the split.

Each lab has a branch `lab-<number>`, whose first commit is the start state. So the main checkout
stays whole, and looking back, comparing and starting anew are plain git. Programs run with the
main checkout's installation, and with the workspace's code in front of the main checkout's.
"""

import os
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path

from infra.local_environment import caller_environment
from infra.runner.config import ROOT
from labs.outcome import CheckNotRun
from labs.removal import Body, Text, read_function

PACKAGES = ("chassis", "monolith", "services/users", "services/threads", "services/posts", ".")
_IDENTITY = ("-c", "user.name=labs", "-c", "user.email=labs@localhost")
_SHOWN = 2_000  # characters of a program's output
SYNTHESIS_SECONDS = 180
"""The limit of a program that makes templates: five seconds each, more on a busy machine."""


class WorkspaceError(Exception):
    """Git refused; the message is git's, or says what to do."""


@dataclass(frozen=True)
class Workspace:
    """A folder with a checkout of the repository; `repository` has the solution."""

    folder: Path
    repository: Path = ROOT

    @property
    def exists(self) -> bool:
        """Return whether a lab was ever started."""
        return (self.folder / ".git").exists()

    @property
    def lab(self) -> int | None:
        """The number of the lab whose branch is checked out; None if there is none."""
        if not self.exists:
            return None
        branch = self.git("branch", "--show-current").strip()
        prefix, _, number = branch.partition("-")
        return int(number) if prefix == "lab" and number.isdecimal() else None

    def start(self, lab: int, removals: Mapping[str, Iterable[Body | Text]]) -> bool:
        """Check out a lab; return whether it is new. `removals` are those of each step's label.

        Work in progress of another lab is committed on its branch first.

        Raises:
            WorkspaceError: git refused.
            RemovalError: the repository does not have what the lab removes.
        """
        branch = f"lab-{lab}"
        if self.exists:
            self.save()
        is_new = not self._repository_git("branch", "--list", branch).strip()
        if not is_new:
            if self.exists:
                self.git("checkout", "--quiet", branch)
            else:
                self._repository_git("worktree", "prune")
                self._repository_git("worktree", "add", "--quiet", str(self.folder), branch)
            return False
        if self.exists:
            self.git("checkout", "--quiet", "-b", branch, self._solution())
        else:
            self._repository_git("worktree", "prune")
            where = ("-b", branch, str(self.folder), self._solution())
            self._repository_git("worktree", "add", "--quiet", *where)
        for label, targets in removals.items():
            for target in targets:
                target.remove(self.folder, label)
        self._commit(f"Start of lab {lab}")
        return True

    def save(self, message: str = "Work in progress") -> bool:
        """Commit what has changed; return whether anything had."""
        if not self.git("status", "--porcelain").strip():
            return False
        self._commit(message)
        return True

    def restore(self, paths: Sequence[str], bodies: Mapping[Body, str]) -> str:
        """Put files and bodies back to the start state; `bodies` has the label of each.

        Return the commit that keeps the present ones.

        Raises:
            RemovalError: a function is not in its file any more, or the file can't be parsed.
        """
        self.save("Before a reset")
        kept = self.git("rev-parse", "--short", "HEAD").strip()
        for body, label in bodies.items():
            body.remove(self.folder, label)
        if paths:
            self.git("checkout", self.start_commit(), "--", *paths)
        self.save("Reset")
        return kept

    def start_commit(self) -> str:
        """Return the commit of the present lab's start state."""
        subject = f"^Start of lab {self.lab}$"
        return self.git("log", "--format=%H", f"--grep={subject}", "-n", "1").strip()

    def compare(self, removals: Iterable[Body | Text]) -> str:
        """Return how functions, and files of other texts, differ from the solution, as a diff.

        Raises:
            RemovalError: a function is not in its file any more, or the file can't be parsed.
        """
        solution = self.git("rev-parse", f"{self.start_commit()}^").strip()
        differences = []
        for removal in removals:
            if isinstance(removal, Text):
                differences.append(self.git("diff", "--no-color", solution, "--", removal.path))
                continue
            # Other functions of the file may be of steps that are still to come.
            texts = (
                self.git("show", f"{solution}:{removal.path}"),
                (self.folder / removal.path).read_text(encoding="utf-8"),
            )
            right, own = (
                read_function(text, removal.name).splitlines(keepends=True) for text in texts
            )
            names = (f"solution/{removal.path}", f"yours/{removal.path}")
            differences.append("".join(unified_diff(right, own, *names)))
        return "".join(dict.fromkeys(differences))

    def git(self, *arguments: str) -> str:
        """Run git in the workspace and return its output; raise WorkspaceError."""
        return _git(self.folder, *arguments)

    def environment(self) -> dict[str, str]:
        """Return the environment of a program that runs the workspace's code."""
        path = os.pathsep.join(str(self.folder / package) for package in PACKAGES)
        return os.environ | {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}

    def run(self, *arguments: str, seconds: float = 30) -> "subprocess.CompletedProcess[str]":
        """Run Python on the workspace's code, such as `-m`, `infra.cdk`; raise CheckNotRun."""
        try:
            return subprocess.run(
                [sys.executable, *arguments],
                cwd=self.folder,
                env=self.environment(),
                capture_output=True,
                text=True,
                timeout=seconds,
                check=False,
                stdin=subprocess.DEVNULL,
            )
        except subprocess.TimeoutExpired as error:
            msg = f"python {' '.join(arguments)[:80]} did not end within {seconds:g} s"
            raise CheckNotRun(msg) from error

    def find_line(self, path: str, text: str) -> str:
        """Return `path:line` of the first line that contains a text; `path` if there is none."""
        lines = (self.folder / path).read_text(encoding="utf-8").splitlines()
        for number, line in enumerate(lines, start=1):
            if text in line:
                return f"{path}:{number}"
        return path

    def _solution(self) -> str:
        return self._repository_git("rev-parse", "HEAD").strip()

    def _commit(self, message: str) -> None:
        self.git("add", "--all")
        self.git(*_IDENTITY, "commit", "--quiet", "--no-verify", "--allow-empty", "-m", message)

    def _repository_git(self, *arguments: str) -> str:
        return _git(self.repository, *arguments)


def last_lines(text: str) -> str:
    """Return the end of a program's output, for a message."""
    return text.strip()[-_SHOWN:]


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments],
        cwd=folder,
        env=caller_environment(),
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode:
        msg = f"git {arguments[0]} failed: {last_lines(done.stderr)}"
        raise WorkspaceError(msg)
    return done.stdout
