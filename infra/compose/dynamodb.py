"""Run Dynoxide on the stage's own file: `python -m infra.compose.dynamodb`."""

import os
from pathlib import Path

from infra import stages
from infra.compose.stage_file import initial_stage

# No web page can reach this port, also by the container's address: browsers block it.
PORT = "6669"
BINARY = "/usr/local/bin/dynoxide"
FOLDER = Path("/data")


def data_file(folder: Path = FOLDER) -> Path:
    """Return the file of the stage."""
    return folder / f"{stages.stage_name(initial_stage())}.sqlite"


def serve(file: Path, port: str) -> None:
    """Replace this process by Dynoxide, so that signals reach it."""
    served = ("serve", "--host", "0.0.0.0", "--port", port)  # noqa: S104 - the container's own
    os.execv(BINARY, (BINARY, *served, "--db-path", str(file)))  # noqa: S606


if __name__ == "__main__":
    serve(data_file(), PORT)
