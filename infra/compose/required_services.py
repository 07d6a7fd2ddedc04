"""Which containers services need, beside those that every forum has."""

from collections.abc import Iterable

from infra import stages
from infra.runner.config import BUS, DATASTORE, worker

KEEPER, PROVISION = "keeper", "provision"
SHARED = (DATASTORE, BUS, PROVISION, KEEPER, worker(stages.MONOLITH))
"""What there is as soon as there is any service."""


def needed(services: Iterable[str]) -> tuple[str, ...]:
    """Name the containers of these services, and what they share."""
    chosen = stages.ordered(services)
    own = [part for name in chosen for part in (name, worker(name))]
    return (*SHARED, *own) if chosen else ()
