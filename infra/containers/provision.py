"""Make what the stage's services lack: `python -m infra.containers.provision`."""

import sys

from infra import stages
from infra.containers.stage import extracted
from infra.local.provision import make_queues, make_tables

if __name__ == "__main__":
    services = stages.ordered(extracted())
    for name in make_tables(services):
        sys.stdout.write(f"created {name}\n")
    make_queues(extracted())
