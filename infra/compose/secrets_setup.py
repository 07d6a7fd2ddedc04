"""Create the containers' secrets: `python -m infra.compose.secrets_setup`.

`/keys` contains the secrets that are created once: the database's password, and in a folder for
each stage, which has its own data, the keys of its sessions. Each component finds its share in its
own volume, here `/shares/<component>`, together with its settings that depend on the stage. Domains
may move, so every service has a share at every stage.
"""

import os
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path

from infra import session_keys, stages
from infra.atomic_file import write_atomically
from infra.compose.stage_file import FOLDER, database_name, has_moved_domains, initial_stage
from infra.domains import SESSION_SIGNERS
from infra.runner.config import BUS_RECOVERY

KEYS, SHARES = Path("/keys"), Path("/shares")
PASSWORD = "database_password"  # noqa: S105
BEGAN, FORMERLY_BEGAN = "INITIAL_STAGE", "FORUM_BEGAN_AS"
POSTGRES = "postgres"
# PostgreSQL runs as a user of its own image; only its container mounts that volume.
_MODES = {POSTGRES: 0o444}


def main() -> int:
    """Create missing secrets, and distribute all of them."""
    try:
        stage = initial_stage()
    except stages.UnknownDomainError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    if FORMERLY_BEGAN in os.environ:
        message = f"In compose.override.yaml, {FORMERLY_BEGAN} was renamed to {BEGAN}.\n"
        sys.stderr.write(message)
        return 1
    if problem := stale_override_problem(os.environ.get(BEGAN)):
        sys.stderr.write(f"{problem}\n")
        return 1
    keys = KEYS / stages.stage_name(stage)
    session_keys.ensure_keys(keys)
    _ensure_password(KEYS / PASSWORD)
    made = {
        file.name: file.read_text(encoding="utf-8") for file in (*keys.iterdir(), KEYS / PASSWORD)
    }
    given = component_secrets(stage, made)
    for folder in SHARES.iterdir():
        _fill(folder, given.get(folder.name, {}))
    return 0


def component_secrets(stage: frozenset[str], made: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Return the files of each container's volume."""
    given = {
        name: {each: made[each] for each in (session_keys.SECRET, session_keys.PUBLIC)}
        for name in stages.COMPONENTS
    }
    for signer in SESSION_SIGNERS:
        given[signer][session_keys.PRIVATE] = made[session_keys.PRIVATE]
    # After a move, the users service knows the current holders of replicas.
    given["users"]["replica_holders"] = ",".join(
        (stages.MONOLITH, *stages.in_canonical_order(stage - {"users"}))
    )
    password = made[PASSWORD]
    url = f"postgresql+psycopg://forum:{password}@{POSTGRES}:5432/{database_name(stage)}"
    given[stages.MONOLITH]["database_url"] = url
    given[BUS_RECOVERY] = {"database_url": url}
    given[POSTGRES] = {PASSWORD: password}
    return given


def stale_override_problem(began: str | None, folder: Path = FOLDER) -> str:
    """Return an error message if the override file belongs to another forum.

    `began` is the initial stage in the file; None if no domain was moved.
    """
    if began is None:
        return ""
    file = "compose.override.yaml, written by `make extract`,"
    way = "Move that file away, or start with: docker compose -f compose.yaml up"
    if stages.parse(began) != initial_stage():
        return (
            f"{file} belongs to the forum that started with EXTRACTED={began}, not this one. {way}"
        )
    if not has_moved_domains(folder):
        return f"{file} belongs to a forum whose data was deleted. {way}"
    return ""


def _ensure_password(file: Path) -> None:
    if not file.exists():
        write_atomically(file, secrets.token_urlsafe(32), mode=0o600)


def _fill(folder: Path, given: Mapping[str, str]) -> None:
    """Make a folder contain exactly these files; unchanged files are not touched."""
    for file in folder.iterdir():
        if file.name not in given or file.read_text(encoding="utf-8") != given[file.name]:
            file.unlink()
    for name, text in given.items():
        file = folder / name
        if not file.exists():
            mode = _MODES.get(folder.name, 0o400)
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT, mode)
            with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
                opened.write(text)


if __name__ == "__main__":
    sys.exit(main())
