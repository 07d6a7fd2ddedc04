"""The containers that services need, beyond those of every forum."""

from collections.abc import Iterable

from infra import stages
from infra.runner.config import BUS, BUS_RECOVERY, DATASTORE, worker_name

PROVISION = "provision"
SHARED = (DATASTORE, BUS, PROVISION, BUS_RECOVERY, worker_name(stages.MONOLITH))
"""Containers that run as soon as there is any service."""


def required_services(services: Iterable[str]) -> tuple[str, ...]:
    """Return the containers of these services, and the ones that they share."""
    chosen = stages.in_canonical_order(services)
    own = [part for name in chosen for part in (name, worker_name(name))]
    return (*SHARED, *own) if chosen else ()
