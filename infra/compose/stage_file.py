"""Which stage these containers are, and what it calls its own data."""

import os
from pathlib import Path

from infra import stages
from infra.current_stage import CurrentStage, read_current_stage, write_current_stage

FOLDER = Path("/stage")
"""A volume; for each forum, a file with the stage that it is at by now."""


def initial_stage() -> frozenset[str]:
    """Read EXTRACTED, which compose.yaml always sets; raise UnknownDomainError.

    The forum began at this stage, and its data bears the name for good;
    domains may have moved since.
    """
    return stages.parse(os.environ["EXTRACTED"])


def current_stage(folder: Path = FOLDER) -> CurrentStage:
    """Tell the stage that the forum is at by now; raise UnknownDomainError."""
    return read_current_stage(_file(folder)) or CurrentStage(initial_stage())


def save_stage(now: CurrentStage, folder: Path = FOLDER) -> None:
    """Write down which stage the forum is at by now."""
    write_current_stage(now, _file(folder))


def has_moved_domains(folder: Path = FOLDER) -> bool:
    """Return whether a domain of the forum ever moved."""
    return _file(folder).exists()


def database_name(stage: frozenset[str]) -> str:
    """Name the stage's database on PostgreSQL."""
    return stages.stage_name(stage).replace("+", "_")


def _file(folder: Path) -> Path:
    return folder / f"{stages.stage_name(initial_stage())}.json"
