"""The contract suite on a workspace's code, at the end of a lab."""

import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec

from labs.outcome import CheckNotRun
from labs.workspace import Workspace

FIRST_STAGE = "monolith"


def run_contract(workspace: Workspace, stage: str, options: Sequence[str]) -> bool:
    """Run the suite at a stage, with its output; return whether it passed.

    The responses of a stage are compared with those of the monolith alone, so that stage runs
    first.

    Raises:
        CheckNotRun: what the suite needs is not installed.
    """
    if find_spec("pytest") is None:
        msg = "the contract suite needs what `make setup` installs in the main checkout"
        raise CheckNotRun(msg)
    stages = " ".join(dict.fromkeys((FIRST_STAGE, stage)))
    pytest = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider")
    done = subprocess.run(
        [*pytest, "tests/contract", *options],
        cwd=workspace.folder,
        env=workspace.environment() | {"CONTRACT_STAGES": stages},
        check=False,
    )
    return done.returncode == 0
