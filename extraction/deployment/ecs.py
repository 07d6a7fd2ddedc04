"""The deployment port for a forum on ECS, from inside the mover's task.

The templates of a stage with `moving` define all services, tables and queues, and the settings of
this task (`infra/cdk/constructs/mover.py`). A move starts and stops the service's worker, and
changes the domain's listener rule.
"""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import boto3
from sqlalchemy import text

from chassis.ownership.state import State
from extraction.deployment.port import DeploymentError
from extraction.endpoints import Endpoints
from infra import listener_rules, stages
from infra.runner.config import worker_name

PATIENCE = 300  # seconds until ECS has started or stopped a task
POLL_SECONDS = 1.0
LOCK = 5_120_934_477
"""The number of PostgreSQL's advisory lock, which has no meaning."""
_BUSY = "Another move is in progress; see `make status PLACE=ecs`."


class EcsDeployment:
    """The ECS deployment that this task belongs to."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._environ = environ
        self._domain = environ["DOMAIN"]
        self._balancer = boto3.client("elbv2")
        self._ecs = boto3.client("ecs")
        self._extracted = self._read_extracted()

    @cached_property
    def endpoints(self) -> Endpoints:
        """The endpoints of the forum's data."""
        return Endpoints(self._environ["DATABASE_URL"], self._environ["TABLE_PREFIX"])

    @property
    def extracted(self) -> frozenset[str]:
        """The domains that services own, according to the listener rules."""
        return self._extracted

    @property
    def moving(self) -> frozenset[str]:
        """The domain, if a reintegration has fenced its service and not yet begun.

        Otherwise none: the deployment starts services, not a move.
        """
        fenced = (
            self._domain in self._extracted
            and self.endpoints.ownership(self._domain).load().state == State.FENCED
        )
        return frozenset({self._domain} if fenced else ())

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Exclude other moves by a lock in the database, which ends with the connection."""
        with self.endpoints.sql.engine.connect() as connection:
            locked = text("SELECT pg_try_advisory_lock(:lock)")
            if not connection.scalar(locked, {"lock": LOCK}):
                raise DeploymentError(_BUSY)
            # The lock is the session's; a transaction would stay open during the whole move.
            connection.commit()
            yield

    def start_service(self, domain: str) -> None:
        """Wait until the service, which the deployment has started, is healthy.

        Until the service owns its domain, its worker stops, because tables are emptied and filled.
        """
        self._check_domain(domain)
        if domain not in self._extracted:
            self.stop_worker(domain)
        self._until(
            lambda: any(map(self._is_healthy, self._service_groups)),
            f"no task of {domain} is healthy; see its log",
        )

    def start_worker(self, domain: str) -> None:
        """Start the service's worker."""
        self._scale_worker(domain, 1)
        self._until(
            lambda: "RUNNING" in self._worker_tasks(domain),
            f"{worker_name(domain)} does not run; see its log",
        )

    def stop_worker(self, domain: str) -> None:
        """Stop the service's worker, and wait until all of its tasks have ended."""
        self._scale_worker(domain, 0)
        self._until(
            lambda: not self._worker_tasks(domain),
            f"{worker_name(domain)} still runs; see its log",
        )

    def set_routes(self, extracted: frozenset[str]) -> None:
        """Change the domain's listener rule.

        A load balancer takes a moment to apply it everywhere. Until then, the former owner forwards
        what it still receives.
        """
        for domain in extracted ^ self._extracted:
            self._check_domain(domain)
            groups = self._service_groups if domain in extracted else [self._monolith_group]
            shares = dict.fromkeys(groups, 0) | {groups[0]: 100}
            forward: Any = [
                {"TargetGroupArn": group, "Weight": weight} for group, weight in shares.items()
            ]
            self._balancer.modify_rule(
                RuleArn=self._environ["LISTENER_RULE"],
                Actions=[{"Type": "forward", "ForwardConfig": {"TargetGroups": forward}}],
            )
        self._extracted = self._read_extracted()

    def stop_service(self, domain: str) -> None:
        """Stop the worker; the next deployment removes the service."""
        self.stop_worker(domain)

    def keep_service(self, domain: str) -> None:
        """Do nothing: the next deployment records it."""

    def served_by(self, domains: frozenset[str]) -> Mapping[str, str]:
        """Return the component of the healthy tasks to which the load balancer routes a domain."""
        rules = listener_rules.read_rules(self._balancer, self._environ["LISTENER"])
        groups = {
            domain: listener_rules.heaviest_group(rules[domain])
            if domain in rules
            else self._monolith_group
            for domain in domains
        }
        return {
            domain: listener_rules.component_of(group, self._environ["NAME"])
            if self._is_healthy(group)
            else "nobody"
            for domain, group in groups.items()
        }

    def _check_domain(self, domain: str) -> None:
        if domain != self._domain:
            msg = f"This task moves {self._domain}, not {domain}."
            raise DeploymentError(msg)

    @property
    def _service_groups(self) -> list[str]:
        return self._environ["SERVICE_TARGET_GROUPS"].split(",")

    @property
    def _monolith_group(self) -> str:
        return self._environ["MONOLITH_TARGET_GROUP"]

    def _read_extracted(self) -> frozenset[str]:
        found = listener_rules.owners(
            self._balancer, self._environ["LISTENER"], self._environ["NAME"]
        )
        return frozenset(domain for domain, owner in found.items() if owner != stages.MONOLITH)

    def _is_healthy(self, group: str) -> bool:
        found = self._balancer.describe_target_health(TargetGroupArn=group)
        return any(
            target["TargetHealth"]["State"] == "healthy"
            for target in found["TargetHealthDescriptions"]
        )

    def _worker_tasks(self, domain: str) -> list[str]:
        """Return the states of the worker's tasks that have not ended.

        The service counts only running ones, and a task that is to stop may write for half a
        minute.
        """
        cluster = self._environ["CLUSTER"]
        arns = [
            arn
            for wanted in ("RUNNING", "STOPPED")
            for arn in self._ecs.list_tasks(
                cluster=cluster, serviceName=worker_name(domain), desiredStatus=wanted
            )["taskArns"]
        ]
        tasks = self._ecs.describe_tasks(cluster=cluster, tasks=arns)["tasks"] if arns else []
        return [task["lastStatus"] for task in tasks if task["lastStatus"] != "STOPPED"]

    def _scale_worker(self, domain: str, count: int) -> None:
        self._check_domain(domain)
        self._ecs.update_service(
            cluster=self._environ["CLUSTER"], service=worker_name(domain), desiredCount=count
        )

    def _until(self, done: Callable[[], bool], otherwise: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not done():
            if time.monotonic() > deadline:
                msg = f"After {PATIENCE} seconds, {otherwise}."
                raise DeploymentError(msg)
            time.sleep(POLL_SECONDS)
