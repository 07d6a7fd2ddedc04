"""The command line of a component: `python -m posts worker`, `python -m posts replay since 10m`."""

import sys
from collections.abc import Callable, Mapping, Sequence

Command = Callable[[Sequence[str]], int]
"""Run a command with the arguments after its name; return the exit code."""

USAGE_ERROR = 2


def run_command(program: str, commands: Mapping[str, Command], arguments: Sequence[str]) -> int:
    """Run the command that the first argument names; return the exit code."""
    name, *rest = arguments or [""]
    if name not in commands:
        sys.stderr.write(f"usage: python -m {program} {{{'|'.join(commands)}}} ...\n")
        return USAGE_ERROR
    return commands[name](rest)
