"""Routing of calls to a domain's current owner: the forum's own implementation, or the service."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from forum.ownership.state import OwnershipRegistry

PORT = TypeVar("PORT")
RESULT = TypeVar("RESULT")


@dataclass(frozen=True)
class OwnerRoute(Generic[PORT]):
    """The two implementations of a port; the domain's owner determines which is used."""

    registry: OwnershipRegistry
    domain: str
    own: PORT
    remote: PORT

    def current(self) -> PORT:
        """Return the implementation for the current owner."""
        owned = self.registry.snapshot().domains[self.domain].is_own
        return self.own if owned else self.remote

    def call(self, operation: Callable[[PORT], RESULT]) -> RESULT:
        """Call an operation; after a write freeze, wait for its end and call it again.

        An implementation that raises `CutoverInProgress` has done nothing.
        """
        return self.registry.retry_after_cutover(self.domain, lambda: operation(self.current()))
