"""Commands of `make` for a local forum: stop, reset, logs, moderator, replay."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from chassis.clock import utc_now
from chassis.messaging.replay import UsageError, parse_since
from infra import local_environment, stages
from infra.domains import package
from infra.runner import process_specs
from infra.runner.config import (
    BACKUPS,
    LABS,
    RunConfig,
    SettingsError,
    read_config,
    stage_folder,
    var_folder,
    with_current_stage,
)
from infra.runner.lock import Lock

STOP_SECONDS = 20


def stop(lock: Lock) -> int:
    """Stop the running forum, and wait until it has stopped."""
    holder = lock.holder()
    if holder is None:
        print("The forum is not running.")
        return 0
    try:
        os.kill(holder["pid"], signal.SIGTERM)
    except (KeyError, ProcessLookupError):
        # The launcher was killed; its parent watchdog is stopping the processes.
        print("The forum is already stopping.")
    if not lock.wait_until_free(STOP_SECONDS):
        print(f"The forum did not stop within {STOP_SECONDS} seconds.", file=sys.stderr)
        return 1
    print("The forum has stopped.")
    return 0


def reset(lock: Lock) -> int:
    """Delete the data, logs and keys of the stage that EXTRACTED names, or else of every stage.

    Backups and the labs are kept.
    """
    if lock.holder() is not None:
        print("The forum is running; stop it with `make stop`.", file=sys.stderr)
        return 1
    var = folder = var_folder(os.environ)
    if (extracted := os.environ.get("EXTRACTED")) is not None:
        folder = stage_folder(var, stages.parse(extracted))
    if not folder.exists():
        print(f"There is no data in {folder}.")
        return 0
    kept = [path for name in (BACKUPS, LABS) if (path := var / name).exists()]
    if folder == var and kept:
        for path in var.iterdir():
            if path not in kept:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        print(f"Deleted the content of {var}, except {' and '.join(map(str, kept))}.")
    else:
        shutil.rmtree(folder)
        print(f"Deleted {folder}.")
    return 0


def logs(lock: Lock) -> int:
    """Follow the logs of the running stage, or of the one that EXTRACTED names."""
    config = _running(lock) or read_config(os.environ)
    files = sorted(str(file) for file in config.log_folder.glob("*.log"))
    if not files:
        print(f"There are no logs in {config.log_folder}.", file=sys.stderr)
        return 1
    os.execvp("tail", ["tail", "-n", "20", "-F", *files])  # noqa: S606


def moderator(lock: Lock) -> int:
    """Make the user on the command line a moderator, at the owner of users."""
    config = _running(lock)
    if config is None:
        print("The forum is not running; start it with `make run`.", file=sys.stderr)
        return 1
    owner = config.owner("users")
    command = [sys.executable, "-m", package(owner), "moderator", *sys.argv[2:]]
    os.execve(sys.executable, command, _environment(config, owner))  # noqa: S606


def replay(lock: Lock) -> int:
    """Publish events again: `QUEUE=posts` its dead letters, `SINCE=10m` all recorded since then."""
    wanted = dict(argument.split("=", 1) for argument in sys.argv[2:] if not argument.endswith("="))
    config = _running(lock)
    problem = None
    if len(wanted) != 1 or not wanted.keys() <= {"QUEUE", "SINCE"}:
        problem = "Set either QUEUE=<component>, for its dead letters, or SINCE=<10m|2h|a time>."
    elif "SINCE" in wanted and (wrong := _time_problem(wanted["SINCE"])):
        problem = f"SINCE: {wrong}. Set an age, such as 10m or 2h, or a time."
    elif config is None:
        problem = "The forum is not running; start it with `make run`."
    elif not config.services:
        problem = "No domain is extracted, so there are no events to replay."
    elif wanted.get("QUEUE", stages.MONOLITH) not in config.components:
        running = ", ".join(config.components)
        problem = f"There is no queue {wanted['QUEUE']!r} at this stage; choose one of {running}."
    if problem or config is None:
        print(problem, file=sys.stderr)
        return 1
    if "QUEUE" in wanted:
        return _replay(config, [wanted["QUEUE"]], ["dead-letters"])
    return _replay(config, config.components, ["since", wanted["SINCE"]])


def _time_problem(when: str) -> str:
    try:
        parse_since(when, utc_now())
    except UsageError as error:
        return str(error)
    return ""


def _replay(config: RunConfig, components: Iterable[str], arguments: list[str]) -> int:
    """Run the components' own replay concurrently, and print each output."""
    running = {
        component: subprocess.Popen(
            [sys.executable, "-m", package(component), "replay", *arguments],
            env=_environment(config, component),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for component in components
    }
    for component, process in running.items():
        for line in process.communicate()[0].splitlines():
            print(f"{component}: {line}")
    return int(any(process.returncode for process in running.values()))


def _environment(config: RunConfig, component: str) -> dict[str, str]:
    return process_specs.base_environment() | process_specs.component_environment(config, component)


def _running(lock: Lock) -> RunConfig | None:
    holder = lock.holder()
    # Without a description, it is only just starting.
    return _described(holder) if holder else None


def _described(holder: Mapping[str, Any]) -> RunConfig:
    extracted = stages.parse(holder["extracted"])
    return with_current_stage(RunConfig(extracted, holder["ports"], var_folder(os.environ)))


COMMANDS: Mapping[str, Callable[[Lock], int]] = {
    command.__name__: command for command in (stop, reset, logs, moderator, replay)
}


def main() -> int:
    """Run the command in the first argument."""
    try:
        return COMMANDS[sys.argv[1]](Lock(var_folder(os.environ)))
    except (SettingsError, stages.UnknownDomainError) as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    local_environment.isolate()
    sys.exit(main())
