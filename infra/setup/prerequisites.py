"""Programs that tests need beside Python packages: `python -m infra.setup.prerequisites`.

It runs before the tests, fetches what a registry has, and names the rest in one line.
"""

import shutil
import sys
from collections.abc import Iterator

from infra import dynoxide
from infra.setup import chromium


def main() -> int:
    """Fetch Dynoxide and Chromium, and print what is missing; without Dynoxide nothing runs."""
    try:
        dynoxide.ensure_installed()
    except dynoxide.DynoxideError as error:
        print(error, file=sys.stderr)
        return 1
    for line in find_missing():
        print(line, flush=True)
    return 0


def find_missing() -> Iterator[str]:
    """Yield a line for each program without which some tests are skipped."""
    try:
        chromium.ensure_installed()
    except chromium.ChromiumError as error:
        yield f"{error}. Without it browser tests are skipped."
    if not shutil.which("wrk"):
        yield "Bench tests need wrk (apt install wrk). Without it they are skipped."


if __name__ == "__main__":
    sys.exit(main())
