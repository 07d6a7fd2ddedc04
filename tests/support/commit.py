"""The commit, by which runs of continuous integration choose what they test."""

import subprocess

from infra.local_environment import caller_environment
from infra.runner.config import ROOT


def commit_number() -> int | None:
    """Return the commit as a number; None without a repository."""
    done = subprocess.run(
        ["git", "rev-parse", "HEAD"],
        cwd=ROOT,
        env=caller_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    return int(done.stdout, 16) if done.returncode == 0 else None
