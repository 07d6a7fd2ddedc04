"""The keys of local runs: made once, and handed to each component as far as it needs them."""

import secrets
import shutil
from pathlib import Path

from infra import stages
from infra.runner.config import Local

SIGNERS = (stages.MONOLITH, "users")
"""Who signs sessions, now or once users have moved."""
PRIVATE, PUBLIC, SECRET = "session_private_key", "session_public_keys", "secret_key"


def ensure(folder: Path) -> None:
    """Make the keys that are missing; what is there stays, and with it people's sessions."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not (folder / SECRET).exists():
        _write(folder / SECRET, secrets.token_urlsafe(48))
    if not (folder / PRIVATE).exists() or not (folder / PUBLIC).exists():
        _make_pair(folder)


def hand_out(local: Local) -> None:
    """Give each component a folder with just the keys that it needs, at this stage or another."""
    for component in (stages.MONOLITH, *stages.DOMAINS):
        names = [SECRET, PUBLIC]
        if component in SIGNERS:
            names.append(PRIVATE)
        folder = folder_of(local, component)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, mode=0o700)
        for name in names:
            _write(folder / name, (local.secrets / name).read_text(encoding="utf-8"))


def folder_of(local: Local, component: str) -> Path:
    """Name the folder with a component's keys."""
    return local.run / "secrets" / component


def _make_pair(folder: Path) -> None:
    from infra.keypair import make  # noqa: PLC0415  (only the very first start needs it)

    private, public = make()
    _write(folder / PUBLIC, public)
    _write(folder / PRIVATE, private)


def _write(file: Path, text: str) -> None:
    partial = file.with_name(file.name + ".partial")
    partial.unlink(missing_ok=True)
    partial.touch(mode=0o600)
    partial.write_text(text, encoding="utf-8")
    partial.replace(file)
