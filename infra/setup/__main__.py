"""Set up the virtual environment: `python3 -m infra.setup run`, before `make run`.

It runs on the machine's Python with the standard library only, prints one line a step, and keeps
the output of venv and pip in a log, which it prints in full if a step fails.
"""

import argparse
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from infra.setup import platforms
from infra.setup.pip import pip_environment
from infra.tools.lock import EVERYTHING

ROOT = Path(__file__).parents[2]
LOCKS = ROOT / "requirements"
HOME = "home"
"""The file in a virtual environment that says for which Python and folder it was made."""
NO_VENV = (
    "Python could not create a virtual environment; on Debian and Ubuntu: apt install python3-venv"
)


class SetupError(Exception):
    """A step failed; the message says which, or what to do."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Install a lock file into the virtual environment, which is created first if need be."""
    parser = argparse.ArgumentParser(prog="python3 -m infra.setup")
    parser.add_argument("lock", choices=("run", "cdk", "dev", "mutants", "preview", "cloud-tools"))
    parser.add_argument("--venv", type=Path, default=ROOT / ".venv")
    parser.add_argument(
        "--services", action="store_true", help="also check for a binary of Dynoxide"
    )
    given = parser.parse_args(arguments)
    services = given.services and os.environ.get("EXTRACTED") != ""
    found = platforms.this_platform()
    if problem := platforms.find_problem(found, os.environ, services=services):
        print(problem, file=sys.stderr)
        return 1
    try:
        install(given.lock, given.venv.absolute())
    except SetupError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def install(lock: str, venv: Path) -> None:
    """Install what `lock` pins, and the forum's own packages with `run`."""
    log = venv / f"install-{lock}.log"
    if venv.exists() and (problem := find_problem(venv)):
        print(f"Rebuilding {_shown(venv)}: {problem}", flush=True)
        shutil.rmtree(venv)
    if not venv.exists():
        _create(venv)
    python = venv / "bin" / "python"
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "--no-input", "install"]
    log.unlink(missing_ok=True)
    file = LOCKS / f"{lock}.txt"
    print(f"Installing {count_packages(lock)} packages; log: {_shown(log)}", flush=True)
    _run([*pip, "--require-hashes", "-r", str(file)], log)
    if lock == "run":
        print(f"Installing the forum's {len(EVERYTHING)} packages", flush=True)
        own = [argument for folder in EVERYTHING for argument in ("-e", str(ROOT / folder))]
        _run([*pip, "--no-deps", "--no-build-isolation", *own], log)


def find_problem(venv: Path) -> str:
    """Return why an existing virtual environment can't be used; empty if it can.

    It contains absolute paths, of itself and of the forum's code, and is bound to one Python.
    """
    python = venv / "bin" / "python"
    try:
        done = subprocess.run([str(python), "-V"], capture_output=True, text=True, check=False)
        version = done.stdout.strip()
    except OSError:
        return "its Python is gone"
    home = venv / HOME
    if not home.exists():
        # Earlier revisions did not write this file; pip is what is installed first.
        is_finished = any(venv.glob("*.stamp")) and any((venv / "bin").glob("pip3*"))
        return "" if is_finished else "its creation was interrupted"
    made_with, _, made_at = home.read_text(encoding="utf-8").rstrip("\n").partition("\n")
    if Path(made_at) != venv.resolve():
        return f"it was made for {made_at}"
    return "" if version == made_with else f"it was made with {made_with}, and now has {version}"


def count_packages(lock: str) -> int:
    """Count what a lock file adds here to the one for `run`, which is always installed first."""
    added = _pins(lock)
    return len(added if lock == "run" else added - _pins("run"))


def _pins(lock: str) -> set[str]:
    text = (LOCKS / f"{lock}.txt").read_text(encoding="utf-8")
    lines = re.findall(r"^([\w.-]+(?:\[[\w,]+\])?==.+?)[ \\]*$", text, re.MULTILINE)
    return {line for line in lines if "sys_platform == 'win32'" not in line}


def _create(venv: Path) -> None:
    print(f"Creating {_shown(venv)} with Python {platform.python_version()}", flush=True)
    done = subprocess.run(
        [sys.executable, "-m", "venv", str(venv)],
        env=pip_environment(os.environ),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        shutil.rmtree(venv, ignore_errors=True)
        msg = f"{done.stdout}{done.stderr}{NO_VENV}"
        raise SetupError(msg)
    # Last, so that a creation that is interrupted is noticed. The Makefile compares this file.
    made = f"Python {platform.python_version()}\n{venv.resolve()}\n"
    (venv / HOME).write_text(made, encoding="utf-8")


def _run(command: Sequence[str], log: Path) -> None:
    with log.open("a", encoding="utf-8") as output:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=pip_environment(os.environ),
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode:
        sys.stderr.write(log.read_text(encoding="utf-8", errors="replace"))
        msg = f"The installation failed; the lines above are all of {_shown(log)}"
        raise SetupError(msg)


def _shown(path: Path) -> str:
    absolute = path.absolute()
    return str(absolute.relative_to(ROOT) if absolute.is_relative_to(ROOT) else absolute)


if __name__ == "__main__":
    sys.exit(main())
