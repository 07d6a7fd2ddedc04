"""A forum in containers, from within: the mover is one of them, and asks for the others."""

import os
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import urllib3

from extraction.deployment.compose_host import Hands
from extraction.deployment.port import PlaceError, locked
from extraction.endpoints import Ends
from extraction.gateway_probe import Front
from infra import ministack, provisioning, stages
from infra.compose.gateway import ROUTES
from infra.compose.required_services import KEEPER, needed
from infra.compose.stage_file import FOLDER, ByNow, by_now, note
from infra.gateway import process, routes
from infra.runner.config import BUS, DATASTORE, worker

DATABASE_URL = Path("/secrets/database_url")
GATEWAY = "http://gateway:8080"
PATIENCE = 60  # seconds until a part answers


def is_here() -> bool:
    """Tell whether this is the mover's container, with somebody outside who started it."""
    return "MOVER" in os.environ


class ContainedPlace:
    """The forum that this container belongs to."""

    def __init__(self) -> None:
        self._now = by_now()
        self._told: tuple[str, ...] | None = None
        self._hands = Hands()
        self._front = Front(GATEWAY)
        self._http = urllib3.PoolManager(retries=False, timeout=5)

    @cached_property
    def ends(self) -> Ends:
        """Where its data is."""
        return Ends(DATABASE_URL.read_text(encoding="utf-8"))

    @property
    def extracted(self) -> frozenset[str]:
        """Which domains services keep, by the routes."""
        return self._now.extracted

    def alone(self) -> AbstractContextManager[None]:
        """Let nobody else move a domain of this forum during the block."""
        return locked(FOLDER)

    def prepare(self, domain: str) -> None:
        """Bring up the datastores, the service's tables and queue, the service itself."""
        after = replace(self._now, moving=self._now.moving | {domain})
        self._hands.up(DATASTORE, BUS)
        self._until_answers(DATASTORE, os.environ["AWS_ENDPOINT_URL_DYNAMODB"])
        self._until_answers(BUS, os.environ["AWS_ENDPOINT_URL"] + ministack.READY_PATH)
        for _ in provisioning.make_tables([domain]):
            pass
        provisioning.make_queues(after.extracted, after.moving)
        self._note(after)
        self._hands.up(KEEPER, worker(stages.MONOLITH), domain)
        self._until_answers(domain, f"http://{domain}.forum.local:8080/readyz")

    def work(self, domain: str) -> None:
        """Start the service's worker."""
        self._hands.up(worker(domain))

    def route(self, extracted: frozenset[str]) -> None:
        """Give the gateway other routes, and wait until it uses them."""
        changed = extracted ^ self._now.extracted
        self._note(replace(self._now, extracted=extracted))
        table = routes.load().at(extracted)
        self._front.until_routed(extracted, changed, lambda: process.write_routes(table, ROUTES))

    def clear(self, domain: str) -> None:
        """Remove a service, and what nobody needs then."""
        after = replace(self._now, moving=self._now.moving - {domain})
        self._note(after)
        # Where it is gone with the rest, this was done before.
        if after.services or self._answers(os.environ["AWS_ENDPOINT_URL"] + ministack.READY_PATH):
            provisioning.unsubscribe(domain)
        self._hands.down(*sorted(set(needed({domain})) - set(needed(after.services))))
        if after.services:
            provisioning.make_queues(after.extracted, after.moving)

    def keep(self, domain: str) -> None:
        """Note that a domain stays at its service."""
        after = replace(self._now, moving=self._now.moving - {domain})
        provisioning.make_queues(after.extracted, after.moving)
        self._note(after)

    def served_by(self, domains: frozenset[str]) -> Mapping[str, str]:
        """Tell which component answers for each domain."""
        return self._front.served_by(domains)

    def _note(self, now: ByNow) -> None:
        note(now)
        self._now = now
        if now.services != self._told:
            self._hands.services(now.services)
            self._told = now.services

    def _until_answers(self, part: str, url: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not self._answers(url):
            if time.monotonic() > deadline:
                msg = f"{part} did not get ready; look at: docker compose logs {part}"
                raise PlaceError(msg)
            time.sleep(0.05)

    def _answers(self, url: str) -> bool:
        try:
            return self._http.request("GET", url).status < 500
        except urllib3.exceptions.HTTPError:
            return False
