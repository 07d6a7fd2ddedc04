"""supervisord's configuration."""

import shlex
from collections.abc import Collection
from pathlib import Path

from infra.runner.open_files import current_limit
from infra.runner.process_specs import GROUPS, ProcessSpec

_RETRIES = 3
_DESCRIPTORS = 1024
"""The limit that supervisord needs by default; it does not start with a lower one."""


def log_file(logs: Path, name: str) -> Path:
    """Return the path of a program's log file."""
    return logs / f"{name}.log"


def configuration(folder: Path, socket: Path, logs: Path, programs: Collection[ProcessSpec]) -> str:
    """Return the configuration: all programs in groups, none started automatically."""
    sections = [
        "[unix_http_server]",
        f"file={socket}",
        "chmod=0600",
        "[rpcinterface:supervisor]",
        "supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface",
        "[supervisord]",
        # Its log goes to its standard output, like its messages before the log exists.
        "logfile=/dev/null",
        "logfile_maxbytes=0",
        f"minfds={min(_DESCRIPTORS, current_limit())}",
        f"pidfile={folder / 'supervisord.pid'}",
        f"childlogdir={logs}",
    ]
    for priority, group in enumerate(reversed(GROUPS), start=1):
        members = [program for program in programs if program.group == group]
        if not members:
            continue
        names = ",".join(program.name for program in members)
        sections += [f"[group:{group}]", f"programs={names}", f"priority={priority}"]
        for program in members:
            sections += _section(logs, program)
    return "\n".join(sections) + "\n"


def _section(logs: Path, program: ProcessSpec) -> list[str]:
    pairs = [f'{name}="{value}"' for name, value in program.environment.items()]
    return [
        f"[program:{program.name}]",
        f"command={shlex.join(program.command)}",
        f"directory={program.folder}",
        f"environment={','.join(pairs)}",
        "autostart=false",
        f"autorestart={'true' if program.restarted else 'false'}",
        # A program counts as started once spawned; readiness is checked over HTTP. A restarted
        # program must stay up for a second; otherwise it is retried with growing delays, then
        # given up.
        f"startsecs={1 if program.restarted else 0}",
        f"startretries={_RETRIES}",
        f"stopwaitsecs={GROUPS[program.group]}",
        "killasgroup=true",
        "redirect_stderr=true",
        f"stdout_logfile={log_file(logs, program.name)}",
        "stdout_logfile_maxbytes=5MB",
        "stdout_logfile_backups=2",
    ]
