"""Current stage of a running forum: domains may have moved since its data began."""

import json
from dataclasses import dataclass
from pathlib import Path

from infra import stages
from infra.atomic_file import write_atomically


class DamagedStageError(Exception):
    """A stage file is empty or incomplete, such as after a power loss; the message names it."""


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
    """Read a forum's stage file; None if no domain has ever moved.

    Raises:
        DamagedStageError: the file does not contain a stage.
    """
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        stage = CurrentStage(frozenset(content["extracted"]), frozenset(content["moving"]))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError):
        msg = f"{file} is damaged: it does not contain a stage"
        raise DamagedStageError(msg) from None
    if {*stage.services} != stage.extracted | stage.moving:
        msg = f"{file} is damaged: it names domains that do not exist"
        raise DamagedStageError(msg)
    return stage


def write_current_stage(stage: CurrentStage, file: Path) -> None:
    """Replace a forum's stage file."""
    content = {"extracted": sorted(stage.extracted), "moving": sorted(stage.moving)}
    write_atomically(file, json.dumps(content))
