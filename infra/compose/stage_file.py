"""Which stage these containers are, and what it calls its own data."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from infra import stages

FOLDER = Path("/stage")
"""A volume; for each forum, a file with the stage that it is at by now."""


@dataclass(frozen=True)
class CurrentStage:
    """Which domains services keep by now, and which are on the move."""

    extracted: frozenset[str]
    moving: frozenset[str] = frozenset()

    @property
    def services(self) -> tuple[str, ...]:
        """Name the services that there are, in their one order."""
        return stages.in_canonical_order(self.extracted | self.moving)


def initial_stage() -> frozenset[str]:
    """Read EXTRACTED, which compose.yaml always sets; raise UnknownDomainError.

    The forum began at this stage, and its data bears the name for good;
    domains may have moved since.
    """
    return stages.parse(os.environ["EXTRACTED"])


def current_stage(folder: Path = FOLDER) -> CurrentStage:
    """Tell the stage that the forum is at by now; raise UnknownDomainError."""
    try:
        told = json.loads(_file(folder).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return CurrentStage(initial_stage())
    return CurrentStage(frozenset(told["extracted"]), frozenset(told["moving"]))


def save_stage(now: CurrentStage, folder: Path = FOLDER) -> None:
    """Write down which stage the forum is at by now."""
    told = {"extracted": sorted(now.extracted), "moving": sorted(now.moving)}
    partial = _file(folder).with_suffix(".partial")
    partial.write_text(json.dumps(told), encoding="utf-8")
    partial.replace(_file(folder))


def has_moved_domains(folder: Path = FOLDER) -> bool:
    """Tell whether a domain of the forum ever moved."""
    return _file(folder).exists()


def database_name(stage: frozenset[str]) -> str:
    """Name the stage's database on PostgreSQL."""
    return stages.stage_name(stage).replace("+", "_")


def _file(folder: Path) -> Path:
    return folder / f"{stages.stage_name(initial_stage())}.json"
