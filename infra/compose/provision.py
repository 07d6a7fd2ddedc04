"""Make what the services lack that there are by now: `python -m infra.compose.provision`."""

import sys

from infra.compose.stage_file import by_now
from infra.provisioning import make_queues, make_tables

if __name__ == "__main__":
    now = by_now()
    for name in make_tables(now.services):
        sys.stdout.write(f"created {name}\n")
    make_queues(now.extracted, now.moving)
