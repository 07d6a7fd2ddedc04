"""The keys of local runs: created with the data, and distributed to the components that need them.

Each stage has its own data and its own keys, so a session of one is invalid in another. A move
takes the data to another stage together with its keys.
"""

import secrets
import shutil
from pathlib import Path

from infra import stages
from infra.atomic_file import write_atomically
from infra.domains import SESSION_SIGNERS
from infra.runner.config import RunConfig

PRIVATE, PUBLIC, SECRET = "session_private_key", "session_public_keys", "secret_key"


def ensure_keys(folder: Path) -> None:
    """Create missing keys; existing ones are kept, so sessions remain valid."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not (folder / SECRET).exists():
        _write(folder / SECRET, secrets.token_urlsafe(48))
    if not (folder / PRIVATE).exists() or not (folder / PUBLIC).exists():
        _make_pair(folder)


def distribute_keys(config: RunConfig) -> None:
    """Write a folder for each component with only the keys that it needs at any stage."""
    for component in stages.COMPONENTS:
        names = [SECRET, PUBLIC]
        if component in SESSION_SIGNERS:
            names.append(PRIVATE)
        folder = component_folder(config, component)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, mode=0o700)
        for name in names:
            _write(folder / name, (config.secrets_folder / name).read_text(encoding="utf-8"))


def component_folder(config: RunConfig, component: str) -> Path:
    """Return the folder of a component's keys."""
    return config.run_folder / "secrets" / component


def _make_pair(folder: Path) -> None:
    from infra.keypair import generate_keypair  # noqa: PLC0415  (only the very first start needs it)

    private, public = generate_keypair()
    _write(folder / PUBLIC, public)
    _write(folder / PRIVATE, private)


def _write(file: Path, text: str) -> None:
    write_atomically(file, text, mode=0o600)
