"""Where a forum runs in which a domain moves: how its parts are started, its routes set."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

from filelock import FileLock, Timeout

from extraction.endpoints import Endpoints


class DeploymentError(Exception):
    """The forum can't do what is asked for here; the message says why."""


class Deployment(Protocol):
    """A running forum."""

    @property
    def endpoints(self) -> Endpoints:
        """Where its data is."""

    @property
    def extracted(self) -> frozenset[str]:
        """Which domains services keep, by the routes."""

    def exclusive(self) -> AbstractContextManager[None]:
        """Let nobody else move a domain of this forum during the block, or raise PlaceError."""

    def start_service(self, domain: str) -> None:
        """Bring up what a domain's service needs, and the service, without any route to it."""

    def start_worker(self, domain: str) -> None:
        """Start the service's worker."""

    def set_routes(self, extracted: frozenset[str]) -> None:
        """Send each path to its owner at another stage; returns when that is so."""

    def stop_service(self, domain: str) -> None:
        """Stop a service that owns nothing any more, and whatever nobody needs then."""

    def keep_service(self, domain: str) -> None:
        """Note that a domain is not on the move any more, and stays at its service."""

    def served_by(self, domains: frozenset[str]) -> Mapping[str, str]:
        """Return which component answers for each domain, asked by way of the gateway."""


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Hold the lock of a forum's folder; the system releases it however this process ends.

    Raises:
        DeploymentError: another move holds it.
    """
    try:
        with FileLock(folder / "moving.lock", blocking=False):
            yield
    except Timeout:
        msg = "Another move is under way; see `make status`."
        raise DeploymentError(msg) from None
