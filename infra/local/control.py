"""What `make` does to a forum that runs, or that does not: stop, reset, logs, moderator."""

import os
import shutil
import signal
import sys
from collections.abc import Callable, Mapping
from typing import Any

from infra import stages
from infra.local import programs
from infra.local.lock import Lock
from infra.local.settings import Local, SettingsError, read, var_folder

STOP_SECONDS = 20


def stop(lock: Lock) -> int:
    """Ask the running forum to stop, and wait until it has."""
    holder = lock.holder()
    if holder is None:
        print("The forum does not run.")
        return 0
    try:
        os.kill(holder["pid"], signal.SIGTERM)
    except (KeyError, ProcessLookupError):
        # The launcher was killed; its lifeline is at work.
        print("The forum is already stopping.")
    if not lock.wait_until_free(STOP_SECONDS):
        print(f"The forum has not stopped within {STOP_SECONDS} seconds.", file=sys.stderr)
        return 1
    print("The forum has stopped.")
    return 0


def reset(lock: Lock) -> int:
    """Delete the data, logs and keys of every stage."""
    if lock.holder() is not None:
        print("The forum runs; `make stop` ends it.", file=sys.stderr)
        return 1
    folder = var_folder(os.environ)
    if folder.exists():
        shutil.rmtree(folder)
    print(f"Deleted {folder}.")
    return 0


def logs(lock: Lock) -> int:
    """Follow the logs of the running stage, or of the one that EXTRACTED names."""
    local = _running(lock) or read(os.environ)
    files = sorted(str(file) for file in local.logs.glob("*.log"))
    if not files:
        print(f"There are no logs in {local.logs}.", file=sys.stderr)
        return 1
    os.execvp("tail", ["tail", "-n", "20", "-F", *files])  # noqa: S606


def moderator(lock: Lock) -> int:
    """Make the person named on the command line a moderator, where accounts live at this stage."""
    local = _running(lock)
    if local is None:
        print("The forum does not run; start it with `make run`.", file=sys.stderr)
        return 1
    owner = local.owner("users")
    given = programs.base_environment() | programs.environment(local, owner)
    module = f"{programs.PACKAGES[owner]}.moderator"
    os.execve(sys.executable, [sys.executable, "-m", module, *sys.argv[2:]], given)  # noqa: S606


def _running(lock: Lock) -> Local | None:
    holder = lock.holder()
    return None if holder is None else _described(holder)


def _described(holder: Mapping[str, Any]) -> Local:
    extracted = stages.parse(holder["extracted"])
    return Local(extracted, holder["ports"], var_folder(os.environ))


COMMANDS: Mapping[str, Callable[[Lock], int]] = {
    command.__name__: command for command in (stop, reset, logs, moderator)
}


def main() -> int:
    """Do what the first argument names."""
    try:
        return COMMANDS[sys.argv[1]](Lock(var_folder(os.environ)))
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
