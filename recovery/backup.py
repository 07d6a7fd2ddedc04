"""Backup and restore of a forum's data: the part that is the same in every deployment."""

import json
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from chassis.clock import format_timestamp
from infra import stages
from infra.atomic_file import write_atomically

MANIFEST = "backup.json"
SECRETS = "secrets"
LOCAL, COMPOSE = "local", "compose"


class RestoreError(Exception):
    """The backup can't be restored; the message gives the reason."""


@dataclass(frozen=True)
class Manifest:
    """The description of a complete backup."""

    deployment: str
    data_stage: frozenset[str]


class ForumData(Protocol):
    """The data of a forum in one kind of deployment."""

    @property
    def deployment(self) -> str:
        """The kind of deployment."""

    @property
    def data_stage(self) -> frozenset[str]:
        """The stage that the data began with."""

    def save(self, folder: Path) -> None:
        """Copy databases, keys and stage into a folder, also while people write.

        Each database is copied as of one moment, the services' first.
        """

    def put_back(self, folder: Path) -> None:
        """Put all data back, with later versions."""

    def put_back_service(self, folder: Path, domain: str) -> None:
        """Put one service's tables back, with later versions.

        Raises:
            RestoreError: the service does not own the domain, now or in the backup.
        """


def back_up(forum: ForumData, backups: Path, now: datetime) -> Path:
    """Copy a forum's data, also while people write; return the new folder.

    What people write between the moments of two databases differs after a restore, until it is
    reconciled.
    """
    folder = backups / f"{stages.stage_name(forum.data_stage)}-{now:%Y%m%dT%H%M%SZ}"
    folder.mkdir(mode=0o700, parents=True)
    forum.save(folder)
    # Written last: without it, the backup is not complete.
    manifest = {
        "deployment": forum.deployment,
        "data_stage": sorted(forum.data_stage),
        "time": format_timestamp(now),
    }
    # On disk only after all the rest is.
    os.sync()
    write_atomically(folder / MANIFEST, json.dumps(manifest))
    return folder


def read_manifest(folder: Path) -> Manifest:
    """Return the description of a backup.

    Raises:
        RestoreError: the folder has no complete backup.
    """
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        # Backups of the first revision are of `make run`.
        return Manifest(manifest.get("deployment", LOCAL), frozenset(manifest["data_stage"]))
    except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, AttributeError):
        msg = f"There is no complete backup in {folder}."
        raise RestoreError(msg) from None


def tell_raised(count: int) -> str:
    """Return the message about records that were put back."""
    return f"Put back; {count} records have a later version than before."
