"""The file `compose.override.yaml`, which makes `docker compose up` start the current services.

Compose reads this file itself. Whatever EXTRACTED is by then, the file sets it to the initial stage
of the forum, which names its data. Current services are in no profile, so that they always run, and
all others in a profile that is never selected.
"""

from collections.abc import Collection

from extraction.deployment.compose_project import MARK, OVERRIDE, ComposeProject
from infra import stages
from infra.atomic_file import write_atomically
from infra.compose.required_services import PROVISION, required_services
from infra.runner.config import BUS_RECOVERY, DATASTORE, GATEWAY

HEAD = f"""{MARK} and `make reintegrate`: the services since domains of this forum moved.
# The forum began with EXTRACTED={{began}}; `docker compose up` ignores another value. The file is
# removed when all domains are back. To start with another EXTRACTED, delete it first.
"""
SETUP = "setup"
STAGE_READERS = (GATEWAY, DATASTORE, BUS_RECOVERY, SETUP, PROVISION, "demo", "mover")
"""The services of compose.yaml that read EXTRACTED."""


def override_text(extracted: Collection[str], services: Collection[str]) -> str:
    """Return the file's text for an initial stage and the current services; empty if they agree."""
    services = stages.in_canonical_order(services)
    now = required_services(services)
    if set(required_services(extracted)) == set(now):
        return ""
    began = stages.as_setting(extracted)
    changes: dict[str, list[str]] = {}
    for name in STAGE_READERS:
        more = f', CURRENT_SERVICES: "{",".join(services)}"' if name == SETUP else ""
        changes[name] = [f'environment: {{ EXTRACTED: "{began}"{more} }}']
    for name in required_services(stages.DOMAINS):
        profiles = "!reset []" if name in now else "!override [returned]"
        changes.setdefault(name, []).append(f"profiles: {profiles}")
    lines = (f"  {name}: {{ {', '.join(parts)} }}" for name, parts in sorted(changes.items()))
    return HEAD.format(began=began) + "\n".join(("services:", *lines)) + "\n"


def write_override(project: ComposeProject, services: Collection[str]) -> str:
    """Write or remove the file; return a message for the user, or an empty text."""
    wanted = override_text(project.extracted, services)
    if not project.has_override:
        profiles = " ".join(f"--profile {name}" for name in stages.in_canonical_order(services))
        return f"The next `docker compose up` needs: {profiles}" if wanted else ""
    file = project.folder / OVERRIDE
    if file.exists() and not file.read_text(encoding="utf-8").startswith(MARK):
        return f"Your own {OVERRIDE} was not changed; it may need:\n{wanted}" if wanted else ""
    if not wanted:
        file.unlink(missing_ok=True)
        return ""
    write_atomically(file, wanted)
    return ""
