"""Build the images, test the forum in containers: `python -m tests.compose`, `make test-compose`.

Arguments go to pytest. Images and the engine's build cache stay; containers, networks and volumes
are removed. Without an engine it prints a message, which is a failure if CI is set.
"""

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence

from infra.runner.config import ROOT

# Generated cases, list parameters and Markdown depend on code only. Of the browser tests, these
# depend on the deployment: a session from end to end, and pages while a component is down.
ALIKE = ("generated", "pagination", "markdown")
SUITES = (
    ("tests/compose",),
    ("tests/contract", *(f"--ignore=tests/contract/protocol/test_{name}.py" for name in ALIKE)),
    ("tests/e2e/test_first_session.py", "tests/e2e/test_degraded.py"),
)
SHARES = (4, 1, 1)
"""The suites' shares of the time, if it is limited (`tests/support/plugins/time_limit.py`)."""
# `make test` compares both sides; here the images of all components run it.
STAGES = "users+threads+posts"
PYTEST = (sys.executable, "-m", "pytest", "-n", "0")


def main() -> int:
    """Return the exit code."""
    if missing := lack():
        sys.stderr.write(f"Not tested in containers: {missing}\n")
        return 1 if os.environ.get("CI") else 0
    built = subprocess.run(["docker", "compose", "build", "--quiet"], cwd=ROOT, check=False)
    if built.returncode:
        return built.returncode
    environment = {
        "FORUM_DEPLOYMENT": "compose",
        "CONTRACT_STAGES": os.environ.get("CONTRACT_STAGES", STAGES),
    }
    if sys.argv[1:]:
        return _run(sys.argv[1:], environment, 1)
    # Sequentially: a suite keeps its stages running until its end.
    codes = [
        _run(suite, environment, SHARES[number] / sum(SHARES[number:]))
        for number, suite in enumerate(SUITES)
    ]
    return int(any(codes))


def _run(arguments: Sequence[str], environment: Mapping[str, str], share: float) -> int:
    """Run a suite in this share of the time that is left; return the exit code."""
    more = dict(environment)
    if end := os.environ.get("TESTS_END"):
        now = time.time()
        more["TESTS_END"] = str(now + (float(end) - now) * share)
    command = [*PYTEST, *arguments]
    return subprocess.run(command, cwd=ROOT, env=os.environ | more, check=False).returncode


def lack() -> str:
    """Return what is missing of an engine with Compose; empty if complete."""
    for command, missing in (
        (("docker", "version"), "there is no container engine (docker version)"),
        (("docker", "compose", "version"), "docker has no Compose (docker compose version)"),
    ):
        try:
            asked = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"{missing}: {error}"
        if asked.returncode:
            return f"{missing}: {asked.stderr.strip()}"
    return ""


if __name__ == "__main__":
    sys.exit(main())
