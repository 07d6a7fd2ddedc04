"""Load the demo content once into each stage: `python -m infra.containers.demo`."""

import os
import sys
from pathlib import Path

from infra import stages
from infra.containers.stage import extracted
from infra.local import demo

LOADED = Path("/state/demo")
FORUM = "http://gateway:8080"


def main() -> int:
    """Load it, unless that was done before or DEMO=off says not to."""
    marker = LOADED / stages.folder(extracted())
    if os.environ.get("DEMO") == "off" or marker.exists():
        return 0
    if code := demo.main(["--url", FORUM]):
        return code
    LOADED.mkdir(exist_ok=True)
    marker.touch()
    return 0


if __name__ == "__main__":
    sys.exit(main())
