"""Run the gateway at the forum's current stage: `python -m infra.compose.gateway`.

Its routes are in a volume, where an extraction replaces them while it runs.
"""

import sys
from pathlib import Path

from infra import stages
from infra.compose.stage_file import current_stage
from infra.gateway import process

ROUTES = Path("/routes/routes.json")


def main() -> int:
    """Replace this process by the gateway."""
    try:
        setting = stages.as_setting(current_stage().extracted)
    except stages.UnknownDomainError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    where = ("--bind", "0.0.0.0", "--admin-port", "9901")  # noqa: S104 - the container's own
    files = ("--routes-file", str(ROUTES), "--output", "/tmp/envoy.json")  # noqa: S108
    return process.main([*where, *files, "--extracted", setting, "--run"])


if __name__ == "__main__":
    sys.exit(main())
