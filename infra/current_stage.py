"""Current stage of a running forum: domains may have moved since its data began."""

import json
from dataclasses import dataclass
from pathlib import Path

from infra import stages
from infra.atomic_file import write_atomically


@dataclass(frozen=True)
class CurrentStage:
    """The domains that services own, and the domains that are being moved."""

    extracted: frozenset[str]
    moving: frozenset[str] = frozenset()

    @property
    def services(self) -> tuple[str, ...]:
        """Return the services of this stage, in canonical order."""
        return stages.in_canonical_order(self.extracted | self.moving)


def read_current_stage(file: Path) -> CurrentStage | None:
    """Read a forum's stage file; None if no domain has ever moved."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return CurrentStage(frozenset(content["extracted"]), frozenset(content["moving"]))


def write_current_stage(stage: CurrentStage, file: Path) -> None:
    """Replace a forum's stage file."""
    content = {"extracted": sorted(stage.extracted), "moving": sorted(stage.moving)}
    write_atomically(file, json.dumps(content))
