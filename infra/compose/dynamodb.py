"""Run Dynoxide on the stage's own file: `python -m infra.compose.dynamodb`."""

import os

from infra import stages
from infra.compose.stage_file import initial_stage

# No web page can reach this port, also by the container's address: browsers block it.
PORT = "6669"
BINARY = "/usr/local/bin/dynoxide"

if __name__ == "__main__":
    file = f"/data/{stages.stage_name(initial_stage())}.sqlite"
    served = ("serve", "--host", "0.0.0.0", "--port", PORT)  # noqa: S104 - the container's own
    # Replaces this process, so that signals reach it.
    os.execv(BINARY, (BINARY, *served, "--db-path", file))  # noqa: S606
