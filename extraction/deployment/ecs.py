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

from extraction.deployment.port import DeploymentError
from extraction.endpoints import Endpoints
from infra import stages
from infra.gateway import routes
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
        self._sqs = boto3.client("sqs")
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
        """None: a deployment starts the services, not a move."""
        return frozenset()

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
        """Wait until the service, which the deployment has started, is healthy."""
        self._require(domain)
        self._until(
            lambda: any(self._is_healthy(group) for group in self._groups),
            f"no task of {domain} is healthy; see its log",
        )

    def start_worker(self, domain: str) -> None:
        """Start the service's worker."""
        if self._worker(domain)["desiredCount"] == 0:
            self._scale(domain, 1)
        self._until(
            lambda: self._worker(domain)["runningCount"] > 0,
            f"{worker_name(domain)} does not run; see its log",
        )

    def stop_worker(self, domain: str) -> None:
        """Stop the service's worker, and wait until no task of it runs."""
        self._scale(domain, 0)
        self._until(
            lambda: self._worker(domain)["runningCount"] == 0,
            f"{worker_name(domain)} still runs; see its log",
        )

    def set_routes(self, extracted: frozenset[str]) -> None:
        """Change the domain's listener rule.

        A load balancer takes a moment to apply it everywhere. Until then, the former owner forwards
        what it still receives.
        """
        for domain in extracted ^ self._extracted:
            self._require(domain)
            groups = self._groups if domain in extracted else [self._monolith_group]
            weights = [100, *(0 for _ in groups[1:])]
            self._balancer.modify_rule(
                RuleArn=self._rules()[domain]["RuleArn"],
                Actions=[
                    {
                        "Type": "forward",
                        "ForwardConfig": {
                            "TargetGroups": [
                                {"TargetGroupArn": group, "Weight": weight}
                                for group, weight in zip(groups, weights, strict=True)
                            ]
                        },
                    }
                ],
            )
        self._extracted = self._read_extracted()

    def stop_service(self, domain: str) -> None:
        """Stop the worker and drop its events; the next deployment removes the service."""
        self.stop_worker(domain)
        self._sqs.purge_queue(QueueUrl=self._environ["QUEUE_URL"])

    def keep_service(self, domain: str) -> None:
        """Do nothing: the next deployment records it."""

    def served_by(self, domains: frozenset[str]) -> Mapping[str, str]:
        """Return the component of the healthy tasks to which the load balancer routes a domain."""
        rules = self._rules()
        return {domain: self._server(rules.get(domain)) for domain in domains}

    def _server(self, rule: Mapping[str, Any] | None) -> str:
        group = _target_group(rule) if rule else self._monolith_group
        return self._component(group) if self._is_healthy(group) else "nobody"

    def _require(self, domain: str) -> None:
        if domain != self._domain:
            msg = f"This task moves {self._domain}, not {domain}."
            raise DeploymentError(msg)

    @property
    def _groups(self) -> list[str]:
        return self._environ["SERVICE_TARGET_GROUPS"].split(",")

    @property
    def _monolith_group(self) -> str:
        return self._environ["MONOLITH_TARGET_GROUP"]

    def _read_extracted(self) -> frozenset[str]:
        owners = {
            domain: self._component(_target_group(rule)) for domain, rule in self._rules().items()
        }
        return frozenset(domain for domain, owner in owners.items() if owner == domain)

    def _rules(self) -> dict[str, Mapping[str, Any]]:
        """Return the listener rule of each domain that has one, by its path."""
        found = self._balancer.get_paginator("describe_rules").paginate(
            ListenerArn=self._environ["LISTENER"]
        )
        by_path = {
            path: rule
            for page in found
            for rule in page["Rules"]
            for condition in rule["Conditions"]
            if condition["Field"] == "path-pattern"
            for path in condition.get("PathPatternConfig", condition)["Values"]
        }
        return {
            route.component: by_path[route.prefix]
            for route in routes.load().routes
            if route.prefix in by_path
        }

    def _component(self, group: str) -> str:
        """Return the component of a target group, which its name has: `forum-posts-green`."""
        name = group.split("/")[-2].removeprefix(self._environ["TABLE_PREFIX"])
        component = name.removesuffix("-green")
        return component if component in stages.COMPONENTS else "nobody"

    def _is_healthy(self, group: str) -> bool:
        found = self._balancer.describe_target_health(TargetGroupArn=group)
        return any(
            target["TargetHealth"]["State"] == "healthy"
            for target in found["TargetHealthDescriptions"]
        )

    def _worker(self, domain: str) -> Mapping[str, Any]:
        self._require(domain)
        (found,) = self._ecs.describe_services(
            cluster=self._environ["CLUSTER"], services=[worker_name(domain)]
        )["services"]
        return found

    def _scale(self, domain: str, count: int) -> None:
        self._require(domain)
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


def _target_group(rule: Mapping[str, Any]) -> str:
    """Return the ARN of the target group with the most weight."""
    (action,) = rule["Actions"]
    groups = action["ForwardConfig"]["TargetGroups"]
    heaviest = max(groups, key=lambda each: each["Weight"])
    return str(heaviest["TargetGroupArn"])
