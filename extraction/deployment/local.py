"""The deployment port for a forum of `make run`: supervisord's processes, routes in a file."""

import os
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import cached_property
from http.client import HTTPException
from typing import Any
from xmlrpc.client import Fault

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
    SettingsError,
    save_stage,
    var_folder,
    with_current_stage,
    worker_name,
)
from infra.runner.lock import Lock
from infra.runner.stage_processes import is_ready

PATIENCE = 60  # seconds until a process responds
_STOPPED = "The forum has stopped. Start it again with `make run`; then run this again to resume."
_DONE_BEFORE = {supervisor_rpc.ALREADY_STARTED, supervisor_rpc.NOT_RUNNING}


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
        try:
            self._local = with_current_stage(
                replace(config, proxied_ports=holder.get("proxied_ports", {}))
            )
        except SettingsError as error:
            raise DeploymentError(str(error)) from error
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

    @property
    def moving(self) -> frozenset[str]:
        """The domains whose services were started for a move that has not finished."""
        infos = self._infos()
        idle = {one for one in stages.DOMAINS if infos[one]["pid"]} - self.extracted
        return self._local.moving | idle

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
        # First: what a mover that dies leaves running can be found.
        self._note(after)
        for part in (DATASTORE, BUS):
            self._start(part)
        for _ in provisioning.provision_tables([domain]):
            pass
        provisioning.provision_queues(after.extracted, after.moving)
        self._start(worker_name(stages.MONOLITH))
        self._start(domain)
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
        # If the bus does not run, this was done before.
        if after.services or self._infos()[BUS]["pid"]:
            self._start(BUS)  # which waits until it is ready
            provisioning.drop_subscription(domain)
        self._stop(worker_name(domain))
        if not after.services:
            for part in (BUS_RECOVERY, worker_name(stages.MONOLITH), DATASTORE, BUS):
                self._stop(part)
        else:
            provisioning.provision_queues(after.extracted, after.moving)
        # Last: while it runs, an interrupted stop is known to be incomplete.
        self._stop(domain)

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
            self._call(lambda api: api.startProcess(f"{info['group']}:{part}", False))
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
            self._call(lambda api: api.stopProcess(f"{info['group']}:{part}", True))

    def _infos(self) -> dict[str, Any]:
        found = self._call(lambda api: api.getAllProcessInfo())
        return {info["name"]: info for info in found}

    def _call(self, call: Callable[[Any], Any]) -> Any:
        """Call supervisord.

        Raises:
            DeploymentError: the forum is stopping, or has stopped.
        """
        try:
            with supervisor_rpc.configured_proxy(self._local.run_folder) as server:
                return call(server.supervisor)
        except Fault as fault:
            # Another program, such as the launcher, may have done so already.
            if fault.faultCode in _DONE_BEFORE:
                return None
            if fault.faultCode != supervisor_rpc.SHUTDOWN_STATE:
                msg = f"supervisord refused: {fault.faultString}. Run this again to resume."
                raise DeploymentError(msg) from fault
            raise DeploymentError(_STOPPED) from fault
        except (OSError, HTTPException) as error:
            raise DeploymentError(_STOPPED) from error
