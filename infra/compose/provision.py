"""Create missing resources of the current services: `python -m infra.compose.provision`."""

import sys

from infra.compose.stage_file import current_stage
from infra.provisioning import provision_queues, provision_tables

if __name__ == "__main__":
    now = current_stage()
    for name in provision_tables(now.services):
        sys.stdout.write(f"created {name}\n")
    provision_queues(now.extracted, now.moving)
