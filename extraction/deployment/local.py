"""The deployment port for a forum of `make run`: supervisord's processes, routes in a file."""

import os
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import cached_property
from typing import Any

from extraction.deployment.port import DeploymentError, exclusive
from extraction.endpoints import Endpoints
from extraction.gateway_probe import GatewayProbe
from infra import dynoxide, provisioning, stages
from infra.gateway import process, routes
from infra.runner import port_check, process_specs, supervisor_rpc
from infra.runner.config import (
    BUS,
    BUS_RECOVERY,
    DATASTORE,
    GATEWAY,
    RunConfig,
    save_stage,
    var_folder,
    with_current_stage,
    worker_name,
)
from infra.runner.lock import Lock
from infra.runner.stage_processes import is_ready

PATIENCE = 60  # seconds until a process responds


class LocalDeployment:
    """The local deployment that runs from a folder."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        holder = Lock(var_folder(environ)).holder()
        if not holder:
            msg = "The forum is not running; start it with `make run EXTRACTED=`."
            raise DeploymentError(msg)
        initial = stages.parse(holder["extracted"])
        config = RunConfig(initial, holder["ports"], var_folder(environ))
        # A forum that an earlier revision started does not describe them.
        self._local = with_current_stage(
            replace(config, proxied_ports=holder.get("proxied_ports", {}))
        )
        self._gateway = GatewayProbe(self._local.url(GATEWAY))
        # The extraction is one of the forum's programs and gets the same environment.
        settings = process_specs.component_environment(self._local, stages.MONOLITH)
        settings |= process_specs.provisioning_environment(self._local)
        os.environ.update(
            {name: text for name, text in settings.items() if name.startswith("AWS_")}
        )
        self._url = settings["DATABASE_URL"]

    @cached_property
    def endpoints(self) -> Endpoints:
        """The endpoints of the forum's data."""
        return Endpoints(self._url)

    @property
    def extracted(self) -> frozenset[str]:
        """The domains that services own, according to the routes."""
        return self._local.extracted

    def exclusive(self) -> AbstractContextManager[None]:
        """Exclude other moves in this forum during the block."""
        return exclusive(self._local.folder)

    def start_service(self, domain: str) -> None:
        """Start the datastores, create the service's tables and queue, and start the service."""
        after = replace(
            self._local, moving=self._local.moving | {domain}, initial_stage=self._local.data_stage
        )
        self._check_ports(after)
        dynoxide.ensure_installed()
        for part in (DATASTORE, BUS):
            self._start(part)
        for _ in provisioning.provision_tables([domain]):
            pass
        provisioning.provision_queues(after.extracted, after.moving)
        self._start(worker_name(stages.MONOLITH))
        self._start(domain)
        self._note(after)
        self._start(BUS_RECOVERY)

    def start_worker(self, domain: str) -> None:
        """Start the service's worker."""
        self._start(worker_name(domain))

    def stop_worker(self, domain: str) -> None:
        """Stop the service's worker."""
        self._stop(worker_name(domain))

    def set_routes(self, extracted: frozenset[str]) -> None:
        """Write new routes, and wait until the gateway uses them."""
        changed = extracted ^ self._local.extracted
        self._note(replace(self._local, extracted=extracted, initial_stage=self._local.data_stage))
        table, file = routes.load().at(extracted), process_specs.routes_file(self._local)
        self._gateway.wait_until_routed(
            extracted, changed, lambda: process.write_routes(table, file)
        )

    def stop_service(self, domain: str) -> None:
        """Stop a service, drop its queue's subscription, and stop its unused dependencies."""
        after = replace(
            self._local, moving=self._local.moving - {domain}, initial_stage=self._local.data_stage
        )
        self._note(after)
        # The service is stopped last: if it does not run, this was done before.
        if after.services or self._infos()[BUS]["pid"]:
            provisioning.drop_subscription(domain)
        for part in (worker_name(domain), domain):
            self._stop(part)
        if not after.services:
            for part in (BUS_RECOVERY, worker_name(stages.MONOLITH), DATASTORE, BUS):
                self._stop(part)
        else:
            provisioning.provision_queues(after.extracted, after.moving)

    def keep_service(self, domain: str) -> None:
        """Record that a domain stays at its service."""
        after = replace(
            self._local, moving=self._local.moving - {domain}, initial_stage=self._local.data_stage
        )
        provisioning.provision_queues(after.extracted, after.moving)
        self._note(after)

    def served_by(self, domains: frozenset[str]) -> Mapping[str, str]:
        """Return the component that serves each domain."""
        return self._gateway.served_by(domains)

    def _note(self, config: RunConfig) -> None:
        save_stage(config)
        self._local = config

    def _check_ports(self, after: RunConfig) -> None:
        # A mover that died may have started some of them.
        running = {name for name, info in self._infos().items() if info["pid"]}
        started = {*self._local.servers, *running}
        new = [part for part in after.servers if part not in started]
        if problems := port_check.find_conflicts(after, new):
            raise DeploymentError("\n".join(problems))

    def _start(self, part: str) -> None:
        info = self._infos()[part]
        if not info["pid"]:
            with supervisor_rpc.configured_proxy(self._local.run_folder) as server:
                server.supervisor.startProcess(f"{info['group']}:{part}", False)
        deadline = time.monotonic() + PATIENCE
        ports = self._local.ports
        while not (is_ready(ports[part], part) if part in ports else self._infos()[part]["pid"]):
            if time.monotonic() > deadline:
                msg = (
                    f"{part} did not become ready; see its log: {self._local.log_folder / part}.log"
                )
                raise DeploymentError(msg)
            time.sleep(0.02)

    def _stop(self, part: str) -> None:
        info = self._infos()[part]
        if info["pid"]:
            with supervisor_rpc.configured_proxy(self._local.run_folder) as server:
                server.supervisor.stopProcess(f"{info['group']}:{part}", True)

    def _infos(self) -> dict[str, Any]:
        with supervisor_rpc.configured_proxy(self._local.run_folder) as server:
            found: Any = server.supervisor.getAllProcessInfo()
        return {info["name"]: info for info in found}
