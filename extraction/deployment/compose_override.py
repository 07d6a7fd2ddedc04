"""The file `compose.override.yaml`, which makes `docker compose up` start the current services.

EXTRACTED is the initial stage of a forum. Compose reads this file itself. It removes the profiles
of services that were added since, so that they always run, and puts removed ones into a profile
that is never selected.
"""

from collections.abc import Collection

from extraction.deployment.compose_project import MARK, OVERRIDE, ComposeProject
from infra import stages
from infra.atomic_file import write_atomically
from infra.compose.required_services import required_services

HEAD = f"""{MARK} and `make reintegrate`: which services run since domains of this forum moved.
# It is about the forum that began with EXTRACTED={{began}}; it goes when all are where they were.
"""


def override_text(extracted: Collection[str], services: Collection[str]) -> str:
    """Return the file's text for an initial stage and the current services; empty if they agree."""
    before, now = set(required_services(extracted)), set(required_services(services))
    if before == now:
        return ""
    began = stages.as_setting(extracted)
    lines = [
        HEAD.format(began=began) + "services:",
        f'  setup: {{ environment: {{ INITIAL_STAGE: "{began}" }} }}',
        *(f"  {name}: {{ profiles: !reset [] }}" for name in sorted(now)),
        *(f"  {name}: {{ profiles: !override [returned] }}" for name in sorted(before - now)),
    ]
    return "\n".join(lines) + "\n"


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
