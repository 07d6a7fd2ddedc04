"""Load the demo content once into each stage, and print the address.

Run as `python -m infra.compose.demo`.
"""

import os
import sys
import time
from pathlib import Path

from infra import stages
from infra.compose.stage_file import initial_stage
from infra.demo import load

LOADED = Path("/state/demo")
FORUM = "http://gateway:8080"
# Workers log the events of the content for about a second.
SETTLING_SECONDS = 2


def main() -> int:
    """Load it, unless it is loaded already or DEMO=off is set."""
    marker = LOADED / stages.stage_name(initial_stage())
    if marker.exists():
        sys.stdout.write(f"{load.sign_in_hint()}\n")
    elif os.environ.get("DEMO") != "off":
        if code := load.main(["--url", FORUM]):
            return code
        LOADED.mkdir(exist_ok=True)
        marker.touch()
        time.sleep(SETTLING_SECONDS)
    # The last line of `docker compose up` until somebody visits the forum.
    sys.stdout.write(f"The forum is ready: {os.environ['ADDRESS']}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
