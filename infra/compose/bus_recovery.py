"""Recovery of the containers' bus: `python -m infra.compose.bus_recovery`."""

from pathlib import Path

from infra import bus_recovery, stages
from infra.compose.stage_file import current_stage, initial_stage

CHECKPOINTS = Path("/state/bus-recovery")
DATABASE_URL = Path("/secrets/database_url")

if __name__ == "__main__":
    bus_recovery.run(
        current_stage,
        DATABASE_URL.read_text(encoding="utf-8"),
        CHECKPOINTS / stages.stage_name(initial_stage()),
    )
