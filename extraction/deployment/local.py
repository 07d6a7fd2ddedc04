"""A forum that `make run` has started: its parts are supervisord's, its routes a file."""

import os
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from extraction.deployment.port import PlaceError, locked
from extraction.endpoints import Ends
from extraction.gateway_probe import Front
from infra import dynoxide, provisioning, stages
from infra.gateway import process, routes
from infra.runner import port_check, process_specs, supervisor_rpc
from infra.runner.config import BUS, DATASTORE, GATEWAY, Local, by_now, note, var_folder, worker
from infra.runner.lock import Lock
from infra.runner.startup import answers

PATIENCE = 60  # seconds until a part answers
LAUNCHER_LOOKS = 1.2  # seconds after which the launcher knows what is noted


class LocalPlace:
    """The forum that runs from a folder."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        holder = Lock(var_folder(environ)).holder()
        if not holder:
            msg = "The forum does not run; start it with `make run EXTRACTED=`."
            raise PlaceError(msg)
        born = stages.parse(holder["extracted"])
        self._local = by_now(Local(born, holder["ports"], var_folder(environ)))
        self._front = Front(self._local.url(GATEWAY))
        # The mover is one of the forum's programs: it gets what they get, and nothing else.
        told = process_specs.environment(self._local, stages.MONOLITH)
        told |= process_specs.provisioning(self._local)
        os.environ.update({name: text for name, text in told.items() if name.startswith("AWS_")})
        self._url = told["DATABASE_URL"]

    @cached_property
    def ends(self) -> Ends:
        """Where its data is."""
        return Ends(self._url)

    @property
    def extracted(self) -> frozenset[str]:
        """Which domains services keep, by the routes."""
        return self._local.extracted

    def alone(self) -> AbstractContextManager[None]:
        """Let nobody else move a domain of this forum during the block."""
        return locked(self._local.folder)

    def prepare(self, domain: str) -> None:
        """Bring up the datastores, the service's tables and queue, the service itself."""
        after = replace(self._local, moving=self._local.moving | {domain}, born=self._born)
        self._check_ports(after)
        dynoxide.ensure()
        for part in (DATASTORE, BUS):
            self._start(part)
        for _ in provisioning.make_tables([domain]):
            pass
        provisioning.make_queues(after.extracted, after.moving)
        self._start(worker(stages.MONOLITH))
        self._start(domain)
        self._note(after)

    def work(self, domain: str) -> None:
        """Start the service's worker."""
        self._start(worker(domain))

    def route(self, extracted: frozenset[str]) -> None:
        """Give the gateway other routes, and wait until it uses them."""
        changed = extracted ^ self._local.extracted
        self._note(replace(self._local, extracted=extracted, born=self._born))
        table, file = routes.load().at(extracted), process_specs.routes_file(self._local)
        self._front.until_routed(extracted, changed, lambda: process.write_routes(table, file))

    def clear(self, domain: str) -> None:
        """Stop a service, drop its queue's subscription, and stop what nobody needs then."""
        after = replace(self._local, moving=self._local.moving - {domain}, born=self._born)
        self._note(after)
        time.sleep(LAUNCHER_LOOKS)
        # It is stopped last: where it does not run, this was done before.
        if after.services or self._infos()[BUS]["pid"]:
            provisioning.unsubscribe(domain)
        for part in (worker(domain), domain):
            self._stop(part)
        if not after.services:
            for part in (worker(stages.MONOLITH), DATASTORE, BUS):
                self._stop(part)
        else:
            provisioning.make_queues(after.extracted, after.moving)

    def keep(self, domain: str) -> None:
        """Note that a domain stays at its service."""
        after = replace(self._local, moving=self._local.moving - {domain}, born=self._born)
        provisioning.make_queues(after.extracted, after.moving)
        self._note(after)

    def served_by(self, domains: frozenset[str]) -> Mapping[str, str]:
        """Tell which component answers for each domain."""
        return self._front.served_by(domains)

    @property
    def _born(self) -> frozenset[str]:
        return self._local.extracted if self._local.born is None else self._local.born

    def _note(self, local: Local) -> None:
        note(local)
        self._local = local

    def _check_ports(self, after: Local) -> None:
        new = set(after.parts) - set(self._local.parts)
        problems = [
            text for text in port_check.problems(after) if any(part in text for part in new)
        ]
        running = {name for name, info in self._infos().items() if info["pid"]}
        if problems and not new <= running:
            raise PlaceError("\n".join(problems))

    def _start(self, part: str) -> None:
        info = self._infos()[part]
        if not info["pid"]:
            with supervisor_rpc.proxy(self._socket) as server:
                server.supervisor.startProcess(f"{info['group']}:{part}", False)
        deadline = time.monotonic() + PATIENCE
        ports = self._local.ports
        while not (answers(ports[part], part) if part in ports else self._infos()[part]["pid"]):
            if time.monotonic() > deadline:
                msg = f"{part} did not get ready; its log is {self._local.logs / part}.log"
                raise PlaceError(msg)
            time.sleep(0.02)

    def _stop(self, part: str) -> None:
        info = self._infos()[part]
        if info["pid"]:
            with supervisor_rpc.proxy(self._socket) as server:
                server.supervisor.stopProcess(f"{info['group']}:{part}", True)

    def _infos(self) -> dict[str, Any]:
        with supervisor_rpc.proxy(self._socket) as server:
            found: Any = server.supervisor.getAllProcessInfo()
        return {info["name"]: info for info in found}

    @cached_property
    def _socket(self) -> Path:
        lines = (self._local.run / "supervisord.conf").read_text(encoding="utf-8").splitlines()
        return Path(next(line[5:] for line in lines if line.startswith("file=")))
