"""Load the demo content once into each stage: `python -m infra.compose.demo`."""

import os
import sys
from pathlib import Path

from infra import stages
from infra.compose.stage_file import initial_stage
from infra.demo import load

LOADED = Path("/state/demo")
FORUM = "http://gateway:8080"


def main() -> int:
    """Load it, unless it is loaded already or DEMO=off is set."""
    marker = LOADED / stages.stage_name(initial_stage())
    if os.environ.get("DEMO") == "off" or marker.exists():
        return 0
    if code := load.main(["--url", FORUM]):
        return code
    LOADED.mkdir(exist_ok=True)
    marker.touch()
    return 0


if __name__ == "__main__":
    sys.exit(main())
