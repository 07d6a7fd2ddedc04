"""A repository of its own for tests, so that this checkout gets no branches and worktrees."""

import shutil
import subprocess
from pathlib import Path

from infra.runner.config import ROOT

_IDENTITY = ("-c", "user.name=labs", "-c", "user.email=labs@localhost")


def copy_repository(folder: Path) -> Path:
    """Make a repository with the files of this checkout, committed or not."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout.decode()
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "add", "--all")
    git(folder, *_IDENTITY, "commit", "--quiet", "--message", "The solution")
    return folder


def git(folder: Path, *arguments: str) -> str:
    """Run git and return its output."""
    done = subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True)
    return done.stdout.decode()
