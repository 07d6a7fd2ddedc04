"""Create missing resources of the current services: `python -m infra.compose.provision`."""

from infra.compose.stage_file import current_stage
from infra.provisioning import provision

if __name__ == "__main__":
    provision(current_stage())
