"""The initial and the current stage of the containers, and the names of their data."""

import os
from pathlib import Path

from infra import stages
from infra.current_stage import CurrentStage, read_current_stage, write_current_stage

FOLDER = Path("/stage")
"""The volume with a file for each forum, containing its current stage."""


def initial_stage() -> frozenset[str]:
    """Read EXTRACTED, which compose.yaml always sets; raise UnknownDomainError.

    The forum's data keeps the name of this stage; domains may have moved since.
    """
    return stages.parse(os.environ["EXTRACTED"])


def current_stage(folder: Path = FOLDER) -> CurrentStage:
    """Return the forum's current stage; raise UnknownDomainError."""
    return read_current_stage(_file(folder)) or CurrentStage(initial_stage())


def save_stage(now: CurrentStage, folder: Path = FOLDER) -> None:
    """Write the forum's current stage."""
    write_current_stage(now, _file(folder))


def has_moved_domains(folder: Path = FOLDER) -> bool:
    """Return whether a domain of the forum has ever moved."""
    return _file(folder).exists()


def database_name(stage: frozenset[str]) -> str:
    """Return the name of the stage's database on PostgreSQL."""
    return stages.stage_name(stage).replace("+", "_")


def _file(folder: Path) -> Path:
    return folder / f"{stages.stage_name(initial_stage())}.json"
