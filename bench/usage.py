"""CPU time and memory of a running stage's processes, from Linux's /proc."""

import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from infra.runner.stack import RunnerStack

_TICK = os.sysconf("SC_CLK_TCK")
_AFTER_NAME = 2  # fields of /proc/*/stat after the name in brackets begin with the third
_PGRP, _UTIME, _STIME = 5 - 1 - _AFTER_NAME, 14 - 1 - _AFTER_NAME, 15 - 1 - _AFTER_NAME
_QUIET = 0.15  # CPU seconds per second; idle workers use less
_LOOK = 0.5


def leaders(stack: RunnerStack, parts: Iterable[str]) -> dict[int, str]:
    """Return the process group of each program."""
    return {pid: part for part in parts if (pid := stack.pid(part))}


def cpu(groups: Mapping[int, str]) -> dict[str, float]:
    """Return the CPU seconds used so far by each program."""
    used = dict.fromkeys(groups.values(), 0.0)
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = file.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if part := groups.get(int(fields[_PGRP])):
            used[part] += (int(fields[_UTIME]) + int(fields[_STIME])) / _TICK
    return used


def memory(groups: Mapping[int, str]) -> dict[str, float]:
    """Return the memory of each program in MiB, with shared pages divided among processes (PSS)."""
    held = dict.fromkeys(groups.values(), 0.0)
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            part = groups.get(int(fields[_PGRP]))
            lines = (folder / "smaps_rollup").read_text().splitlines() if part else []
        except OSError:
            continue
        for line in lines:
            if part and line.startswith("Pss:"):
                held[part] += int(line.split()[1]) / 1024
    return held


def calm(groups: Mapping[int, str], seconds: float) -> float:
    """Wait until all events are processed, up to some seconds; return the elapsed time."""
    began = time.monotonic()
    before = sum(cpu(groups).values())
    while time.monotonic() - began < seconds:
        time.sleep(_LOOK)
        now = sum(cpu(groups).values())
        if (now - before) / _LOOK < _QUIET:
            break
        before = now
    return time.monotonic() - began
