"""Examination of the machine: what the labs need, and what to do if it is missing."""

import os
import shutil
import subprocess

from infra.local_environment import caller_environment
from infra.setup import platforms
from labs.console import Console

_PROGRAMS = {
    "git": "git keeps your work in branches: install it from your system's packages",
    "make": "make runs the commands of the labs: install it from your system's packages",
}
_SECONDS = 10


def main(console: Console) -> int:
    """Print what is missing; return the exit code."""
    problems = find_problems(docker=False)
    for problem in problems:
        console.say(problem)
    if without_docker := find_docker_problem():
        console.say(f"Labs that need Docker can't run: {without_docker}")
    if not problems:
        console.say("Everything that labs without Docker need is here.")
    return int(bool(problems))


def find_problems(*, docker: bool) -> list[str]:
    """Return what prevents a lab on this machine, with `docker` if it needs an engine."""
    found = [text for program, text in _PROGRAMS.items() if shutil.which(program) is None]
    platform = platforms.this_platform()
    if problem := platforms.find_problem(platform, os.environ, services=True):
        found.append(problem)
    if docker and (problem := find_docker_problem()):
        found.append(problem)
    return found


def find_docker_problem() -> str:
    """Return why no container engine can be used; empty if one can."""
    try:
        if not _succeeds("docker", "compose", "version"):
            return "docker has no Compose: install its plugin"
        return "" if _succeeds("docker", "info") else "the docker engine is unreachable"
    except FileNotFoundError:
        return "docker is not installed"
    except subprocess.TimeoutExpired:
        return f"docker did not respond within {_SECONDS} seconds"


def _succeeds(*command: str) -> bool:
    done = subprocess.run(
        command, env=caller_environment(), capture_output=True, timeout=_SECONDS, check=False
    )
    return done.returncode == 0
