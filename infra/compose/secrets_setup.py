"""Create the containers' secrets: `python -m infra.compose.secrets_setup`.

`/keys` contains the secrets that are created once: the database's password, and in a folder for
each stage, which has its own data, the keys of its sessions. Each component finds its share in its
own volume, here `/shares/<component>`, together with its settings that depend on the stage. Domains
may move, so every service has a share at every stage.

If domains of a forum were moved, CURRENT_SERVICES lists its services. If the data of that forum was
deleted since, a new one starts with these services.
"""

import os
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path

from infra import session_keys, stages
from infra.atomic_file import write_atomically
from infra.compose.stage_file import (
    FOLDER,
    current_stage,
    database_name,
    has_moved_domains,
    initial_stage,
    save_stage,
)
from infra.current_stage import CurrentStage
from infra.domains import SESSION_SIGNERS
from infra.runner.config import BUS_RECOVERY

KEYS, SHARES = Path("/keys"), Path("/shares")
OVERRIDE = "compose.override.yaml"
PASSWORD = "database_password"  # noqa: S105
CURRENT_SERVICES, FORMER_SETTINGS = "CURRENT_SERVICES", ("INITIAL_STAGE", "FORUM_BEGAN_AS")
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
    if problem := former_override_problem(os.environ):
        sys.stderr.write(f"{problem}\n")
        return 1
    if CURRENT_SERVICES in os.environ and not has_moved_domains(FOLDER):
        services = stages.parse(os.environ[CURRENT_SERVICES])
        save_stage(CurrentStage(services), FOLDER)
        sys.stdout.write(f"A new forum starts with the services in {OVERRIDE}.\n")
    keys = KEYS / stages.stage_name(stage)
    for name in session_keys.ensure_keys(keys):
        sys.stderr.write(f"{keys / name} was damaged and was made again.\n")
    if not _ensure_password(KEYS / PASSWORD):
        sys.stderr.write(f"{KEYS / PASSWORD} is empty, and the database has the lost password.\n")
        return 1
    made = {
        file.name: file.read_text(encoding="utf-8") for file in (*keys.iterdir(), KEYS / PASSWORD)
    }
    given = component_secrets(stage, made, current_stage(FOLDER).extracted)
    for folder in SHARES.iterdir():
        _fill(folder, given.get(folder.name, {}))
    return 0


def component_secrets(
    stage: frozenset[str], made: Mapping[str, str], extracted: frozenset[str]
) -> dict[str, dict[str, str]]:
    """Return the files of each container's volume, for an initial stage and the current one."""
    given = {
        name: {each: made[each] for each in (session_keys.SECRET, session_keys.PUBLIC)}
        for name in stages.COMPONENTS
    }
    for signer in SESSION_SIGNERS:
        given[signer][session_keys.PRIVATE] = made[session_keys.PRIVATE]
    # After a move, the users service knows the current holders of replicas.
    given["users"]["replica_holders"] = ",".join(
        (stages.MONOLITH, *stages.in_canonical_order(extracted - {"users"}))
    )
    password = made[PASSWORD]
    url = f"postgresql+psycopg://forum:{password}@{POSTGRES}:5432/{database_name(stage)}"
    given[stages.MONOLITH] |= {"database_url": url, "extracted": stages.as_setting(extracted)}
    given[BUS_RECOVERY] = {"database_url": url}
    given[POSTGRES] = {PASSWORD: password}
    return given


def former_override_problem(environ: Mapping[str, str]) -> str:
    """Return an error message if an earlier revision wrote the override file."""
    for name in FORMER_SETTINGS:
        if name in environ:
            return (
                f"An earlier revision wrote {OVERRIDE}. Delete the file, and start with"
                f" EXTRACTED={environ[name]} and COMPOSE_PROFILES=<the services after the moves>."
            )
    return ""


def _ensure_password(file: Path) -> bool:
    """Create the password if there is none; return False if it was lost."""
    if not file.exists():
        write_atomically(file, secrets.token_urlsafe(32), mode=0o600)
    return file.stat().st_size > 0


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
