"""The keys of local runs: created with the data, and distributed to the components that need them.

Each stage has its own data and its own keys, so a session of one is invalid in another. A move
takes the data to another stage together with its keys.
"""

import json
import secrets
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from infra import stages
from infra.atomic_file import write_atomically
from infra.domains import SESSION_SIGNERS
from infra.runner.config import RunConfig

PRIVATE, PUBLIC, SECRET = "session_private_key", "session_public_keys", "secret_key"
_SECRET_BYTES = 48
_SHORTEST_SECRET = 32  # characters; components refuse shorter ones


def ensure_keys(folder: Path) -> list[str]:
    """Create missing keys, and replace damaged ones; return the names of the latter.

    Other keys are kept, so sessions remain valid. A power loss can leave an empty file.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    damaged = [name for name, is_whole in _WHOLE.items() if not _is_whole(folder / name, is_whole)]
    existed = [name for name in damaged if (folder / name).exists()]
    if SECRET in damaged:
        _write(folder / SECRET, secrets.token_urlsafe(_SECRET_BYTES))
    if PRIVATE in damaged:
        _make_pair(folder)
    elif PUBLIC in damaged:
        from chassis.auth.tokens import key_set  # noqa: PLC0415  (as in _make_pair)

        pem = (folder / PRIVATE).read_text(encoding="utf-8")
        _write(folder / PUBLIC, json.dumps(key_set(pem)))
    return existed


def _is_whole(file: Path, is_whole: Callable[[str], bool]) -> bool:
    try:
        return is_whole(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return False


def _is_key_set(text: str) -> bool:
    return bool(json.loads(text)["keys"]) if text else False


_WHOLE: Mapping[str, Callable[[str], bool]] = {
    SECRET: lambda text: len(text.strip()) >= _SHORTEST_SECRET,
    PRIVATE: lambda text: text.rstrip().endswith("-----END PRIVATE KEY-----"),
    PUBLIC: _is_key_set,
}
"""Checks of whether each file has its whole text."""


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
