"""The definitions of all domains: the services' own, found by the names in the routing table."""

from collections.abc import Mapping
from importlib import import_module

from chassis.domain import Domain
from infra import stages

SERVICES: Mapping[str, Domain] = {
    name: import_module(f"{name}.domain").DOMAIN for name in stages.DOMAINS
}
"""The services' domains by name, in canonical order."""

SESSION_SIGNERS = (
    stages.MONOLITH,
    *(name for name, domain in SERVICES.items() if domain.signs_sessions),
)
"""The components that issue session tokens, now or once the domain has moved."""


def package(component: str) -> str:
    """Return the name of a component's Python package."""
    return "forum" if component == stages.MONOLITH else component


def peers(component: str) -> tuple[str, ...]:
    """Return the domains whose APIs a component calls."""
    return stages.DOMAINS if component == stages.MONOLITH else SERVICES[component].peers
