"""The deployment port for a forum in containers, from inside the extraction's container."""

import os
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import urllib3

from extraction.deployment.compose_host import ComposeHost
from extraction.deployment.port import DeploymentError, exclusive
from extraction.endpoints import Endpoints
from extraction.gateway_probe import GatewayProbe
from infra import ministack, provisioning, stages
from infra.compose.gateway import ROUTES
from infra.compose.required_services import required_services
from infra.compose.stage_file import FOLDER, current_stage, save_stage
from infra.current_stage import CurrentStage
from infra.gateway import process, routes
from infra.runner.config import BUS, BUS_RECOVERY, DATASTORE, worker_name

DATABASE_URL = Path("/secrets/database_url")
GATEWAY = "http://gateway:8080"
PATIENCE = 60  # seconds until a process responds


def is_inside_container() -> bool:
    """Return whether this is the extraction's container, with an agent on the host."""
    return os.environ.get("MOVER") == "compose"


class ComposeDeployment:
    """The Compose deployment that this container belongs to."""

    def __init__(self) -> None:
        self._now = current_stage()
        self._announced: tuple[str, ...] | None = None
        self._host = ComposeHost()
        self._gateway = GatewayProbe(GATEWAY)
        self._http = urllib3.PoolManager(retries=False, timeout=5)

    @cached_property
    def endpoints(self) -> Endpoints:
        """The endpoints of the forum's data."""
        return Endpoints(DATABASE_URL.read_text(encoding="utf-8"))

    @property
    def extracted(self) -> frozenset[str]:
        """The domains that services own, according to the routes."""
        return self._now.extracted

    @property
    def moving(self) -> frozenset[str]:
        """The domains whose services were started for a move that has not finished."""
        return self._now.moving

    def exclusive(self) -> AbstractContextManager[None]:
        """Exclude other moves in this forum during the block."""
        return exclusive(FOLDER)

    def start_service(self, domain: str) -> None:
        """Start the datastores, create the service's tables and queue, and start the service."""
        after = replace(self._now, moving=self._now.moving | {domain})
        self._host.up(DATASTORE, BUS)
        self._until_answers(DATASTORE, os.environ["AWS_ENDPOINT_URL_DYNAMODB"])
        self._until_answers(BUS, os.environ["AWS_ENDPOINT_URL"] + ministack.READY_PATH)
        for _ in provisioning.provision_tables([domain]):
            pass
        provisioning.provision_queues(after.extracted, after.moving)
        self._note(after)
        self._host.up(BUS_RECOVERY, worker_name(stages.MONOLITH), domain)
        self._until_answers(domain, f"http://{domain}.forum.local:8080/readyz")

    def start_worker(self, domain: str) -> None:
        """Start the service's worker."""
        self._host.up(worker_name(domain))

    def stop_worker(self, domain: str) -> None:
        """Stop the service's worker."""
        self._host.down(worker_name(domain))

    def set_routes(self, extracted: frozenset[str]) -> None:
        """Write new routes, and wait until the gateway uses them."""
        changed = extracted ^ self._now.extracted
        self._note(replace(self._now, extracted=extracted))
        table = routes.load().at(extracted)
        self._gateway.wait_until_routed(
            extracted, changed, lambda: process.write_routes(table, ROUTES)
        )

    def stop_service(self, domain: str) -> None:
        """Remove a service, and the containers that only it needs."""
        after = replace(self._now, moving=self._now.moving - {domain})
        self._note(after)
        # If it is gone with the rest, this was done before.
        if after.services or self._answers(os.environ["AWS_ENDPOINT_URL"] + ministack.READY_PATH):
            provisioning.drop_subscription(domain)
        self._host.down(
            *sorted(set(required_services({domain})) - set(required_services(after.services)))
        )
        if after.services:
            provisioning.provision_queues(after.extracted, after.moving)

    def keep_service(self, domain: str) -> None:
        """Record that a domain stays at its service."""
        after = replace(self._now, moving=self._now.moving - {domain})
        provisioning.provision_queues(after.extracted, after.moving)
        self._note(after)

    def served_by(self, domains: frozenset[str]) -> Mapping[str, str]:
        """Return the component that serves each domain."""
        return self._gateway.served_by(domains)

    def _note(self, now: CurrentStage) -> None:
        save_stage(now)
        self._now = now
        if now.services != self._announced:
            self._host.services(now.services)
            self._announced = now.services

    def _until_answers(self, part: str, url: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not self._answers(url):
            if time.monotonic() > deadline:
                msg = f"{part} did not become ready; see: docker compose logs {part}"
                raise DeploymentError(msg)
            time.sleep(0.05)

    def _answers(self, url: str) -> bool:
        try:
            return self._http.request("GET", url).status < 500
        except urllib3.exceptions.HTTPError:
            return False
