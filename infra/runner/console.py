"""Console output of a run."""

import os
import sys
from collections import deque
from pathlib import Path

from infra import stages
from infra.gateway import routes
from infra.runner.config import BUS, DATASTORE, GATEWAY, HOST, RunConfig
from infra.runner.supervisor import ProcessFailedError

_LAST_LINES, _LONGEST_LINE = 10, 400


def say(text: str) -> None:
    """Print without buffering; ignore a closed terminal, so that the stop continues."""
    try:
        print(text, flush=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def startup_summary(config: RunConfig, seconds: float) -> str:
    """Return a summary: the forum's URL, the processes with their ports, and next steps."""
    active = routes.load().at(config.extracted)
    tasks = {route.component: route.prefix for route in active.routes}
    apis = [route.prefix for route in routes.load().routes if route not in active.routes]
    tasks |= dict.fromkeys(config.moving - config.extracted, "its data is being moved here")
    tasks[stages.MONOLITH] = " ".join(["pages", *apis])
    tasks[GATEWAY] = "routes each path to its owner"
    tasks[DATASTORE] = "tables of the services"
    tasks[BUS] = "events between components"
    lines = [f"  {part:<9} {HOST}:{config.ports[part]:<6} {tasks[part]}" for part in config.servers]
    if config.workers:
        lines.append(f"  {'workers':<25} one for each component, to process events")
    return "\n".join(
        [
            "",
            f"The forum is ready after {seconds:.1f} s: {config.url(GATEWAY)}",
            "",
            *lines,
            "",
            f"Data: {_short(config.folder)}",
            f"Logs: {_short(config.log_folder)} (to follow them, run make logs)",
            "To stop the forum, press Ctrl-C, or run make stop in another terminal.",
            *(["Processes that die are restarted."] if config.restart else []),
            *_moved_notice(config),
            "",
        ]
    )


def _moved_notice(config: RunConfig) -> list[str]:
    """Return how to come back, if the stage is not the one that EXTRACTED names."""
    asked = stages.as_setting(config.data_stage)
    if config.extracted == config.data_stage:
        return []
    commands = [
        f"make {command} DOMAIN={domain}"
        for command, domains in (
            ("reintegrate", config.extracted - config.data_stage),
            ("extract", config.data_stage - config.extracted),
        )
        for domain in stages.in_canonical_order(domains)
    ]
    return [
        "",
        f"This is stage {stages.stage_name(config.extracted)}, not"
        f" {stages.stage_name(config.data_stage)}: domains of this forum have moved.",
        f"To move back: {', then '.join(commands)}.",
        f"To start over without its data: make stop, then make reset EXTRACTED={asked}.",
    ]


def failure(failed: ProcessFailedError, log: Path) -> str:
    """Return a message about a failed process, with the last lines of its log."""
    lines = [f"  {line[:_LONGEST_LINE]}" for line in _tail(log)]
    heading = f"{failed}. {'Its last log lines:' if lines else 'Its log is empty.'}"
    ending = f"{failed}; full log: {_short(log)}"
    return "\n".join(["", heading, *lines, "", ending, "Stopping ..."])


def _tail(log: Path) -> list[str]:
    try:
        with log.open(encoding="utf-8", errors="replace") as file:
            return [line.rstrip("\n") for line in deque(file, _LAST_LINES)]
    except FileNotFoundError:
        return []


def _short(path: Path) -> str:
    """Return a path relative to the working directory, if it is below."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
