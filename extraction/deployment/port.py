"""The deployment port: start and stop a running forum's services, and set its routes."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

from filelock import FileLock, Timeout

from extraction.endpoints import Endpoints


class DeploymentError(Exception):
    """The deployment can't do what was requested; the message gives the reason."""


class Deployment(Protocol):
    """A running forum."""

    @property
    def endpoints(self) -> Endpoints:
        """The endpoints of the forum's data."""

    @property
    def extracted(self) -> frozenset[str]:
        """The domains that services own, according to the routes."""

    @property
    def moving(self) -> frozenset[str]:
        """The domains whose services were started for a move that has not finished."""

    def exclusive(self) -> AbstractContextManager[None]:
        """Exclude other moves in this forum during the block; raise DeploymentError if one runs."""

    def start_service(self, domain: str) -> None:
        """Start a domain's service and its dependencies, without any route to it."""

    def start_worker(self, domain: str) -> None:
        """Start the service's worker, unless it runs."""

    def stop_worker(self, domain: str) -> None:
        """Stop the service's worker."""

    def set_routes(self, extracted: frozenset[str]) -> None:
        """Route each path to its owner at another stage; return once the gateway does so."""

    def stop_service(self, domain: str) -> None:
        """Stop a service that no longer owns its domain, and everything that only it needs."""

    def keep_service(self, domain: str) -> None:
        """Record that a domain has finished its move, and stays at its service."""

    def served_by(self, domains: frozenset[str]) -> Mapping[str, str]:
        """Return the component that serves each domain, as seen through the gateway."""


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Hold the lock of a forum's folder; the system releases it when the process ends.

    Raises:
        DeploymentError: another move holds it.
    """
    try:
        with FileLock(folder / "moving.lock", blocking=False):
            yield
    except Timeout:
        msg = "Another move is in progress; see `make status`."
        raise DeploymentError(msg) from None
