"""Deploy the CDK templates on this machine and test the forum there: `python -m tests.deploy`.

That is `make test-deploy`. Arguments are passed to pytest. Images stay; containers and networks are
removed. Without an engine it prints a message, which is a failure if CI is set.
"""

import os
import subprocess
import sys

from infra.runner.config import ROOT
from tests.compose.__main__ import PYTEST, lack

# MiniStack's load balancer rejects headers that are not Latin-1 with a 502.
NOT_LATIN_1 = "tests/contract/protocol/test_etags.py::test_wrong_etag_matches_nothing"
CONTRACT = ("tests/contract", f"--deselect={NOT_LATIN_1}")
# The monolith first, because the services' responses are compared with its responses.
STAGES = "monolith users+threads+posts"


def main() -> int:
    """Return the exit code."""
    if missing := lack():
        sys.stderr.write(f"Not deployed on this machine: {missing}\n")
        return 1 if os.environ.get("CI") else 0
    environment = {
        "FORUM_DEPLOYMENT": "deployed",
        "CONTRACT_STAGES": os.environ.get("CONTRACT_STAGES", STAGES),
    }
    runs = [sys.argv[1:]] if sys.argv[1:] else [["tests/deploy"], [*CONTRACT]]
    codes = [
        subprocess.run(
            [*PYTEST, *arguments], cwd=ROOT, env=os.environ | environment, check=False
        ).returncode
        for arguments in runs
    ]
    return int(any(codes))


if __name__ == "__main__":
    sys.exit(main())
