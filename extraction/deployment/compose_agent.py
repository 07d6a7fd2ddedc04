"""The agent on the host: runs an extraction in a container, and executes its requests."""

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from extraction.deployment import compose_override
from extraction.deployment.compose_host import DOWN, ERROR, SERVICES, UP
from extraction.deployment.compose_project import ComposeProject
from extraction.deployment.port import DeploymentError


def run_in_container(forum: ComposeProject, module: str, arguments: Sequence[str]) -> int:
    """Run a module's command line in the extraction's container; return its exit code."""
    options = ["--rm", "--no-TTY", "--no-deps"]
    if sys.stdout.isatty():
        size = shutil.get_terminal_size()
        for variable in ("PROGRESS=on", f"COLUMNS={size.columns}", f"LINES={size.lines}"):
            options += ["-e", variable]
    command = forum.command("run", *options, "mover", "python", "-m", module, *arguments)
    # Its standard error is the output for people; the other two streams carry requests.
    with subprocess.Popen(
        command,
        env=forum.environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=sys.stdout,
        text=True,
    ) as container:
        if container.stdin is None or container.stdout is None:
            raise AssertionError
        # Ctrl-C also reaches the container, which stops gracefully.
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        for line in container.stdout:
            answer = _do(forum, json.loads(line))
            try:
                container.stdin.write(f"{json.dumps(answer)}\n")
                container.stdin.flush()
            except BrokenPipeError:
                break
        code = container.wait()
        signal.signal(signal.SIGINT, before)
    return code


def _do(forum: ComposeProject, asked: dict[str, Any]) -> dict[str, str]:
    try:
        for what, names in asked.items():
            if what == UP:
                forum.up(names)
            elif what == DOWN:
                forum.down(names)
            elif what == SERVICES and (message := compose_override.write_override(forum, names)):
                sys.stdout.write(f"{message}\n")
                sys.stdout.flush()
    except (DeploymentError, OSError) as error:
        return {ERROR: str(error)}
    return {}
