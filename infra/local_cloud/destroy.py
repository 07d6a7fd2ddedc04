"""Remove an offline deployment: `python -m infra.local_cloud.destroy`, for `make destroy-local`.

The stacks are deleted first, as on AWS. Then the remaining resources at the emulator are listed,
which must be none. The emulator and the database are removed last. Images are kept for a faster
next start.
"""

import os
import sys
from collections.abc import Callable, Iterator

from botocore.exceptions import BotoCoreError, ClientError

from infra import local_environment, stages
from infra.cdk import names
from infra.cdk.app import DATA, EDGE, NETWORK, WATCH
from infra.cdk.components import MIGRATION
from infra.cdk.options import DeploymentOptions
from infra.local_cloud import containers
from infra.local_cloud import target as places
from infra.local_cloud.stacks import StackError, Stacks
from infra.local_cloud.target import (
    EMULATOR,
    EMULATOR_IMAGE,
    DeploymentTarget,
    EngineError,
    registry,
)

Say = Callable[[str], None]


def main() -> int:
    """Remove the deployment; return the exit code."""
    try:
        place = places.read_target(os.environ)
        remaining = destroy(place, DeploymentOptions(), say=lambda line: print(line, flush=True))
    except (ValueError, EngineError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    for thing in remaining:
        sys.stderr.write(f"left over: {thing}\n")
    return 1 if remaining else 0


def destroy(place: DeploymentTarget, options: DeploymentOptions, *, say: Say) -> list[str]:
    """Delete the stacks and remove the containers; return the remaining resources."""
    remaining: list[str] = []
    if f"container {place.container(EMULATOR)}" in containers.remaining(place):
        try:
            remaining = _delete(place, options, say)
        except (BotoCoreError, ClientError, StackError) as error:
            say(f"could not delete the stacks; removing their containers anyway: {error}")
    containers.remove_all(place)
    remaining += containers.remaining(place)
    if not remaining:
        say("removed all stacks, containers, networks and tables")
        say("Images stay, so that the next start is faster; remove them with:")
        mine = f"--filter reference='{registry()}/*' --filter reference={EMULATOR_IMAGE}"
        say(f"  docker image rm --force $(docker image ls --quiet {mine})")
    return remaining


def _delete(place: DeploymentTarget, options: DeploymentOptions, say: Say) -> list[str]:
    stacks = Stacks(place)
    there = stacks.names()
    everybody = (*stages.DOMAINS, stages.MONOLITH)
    for group in ((WATCH,), everybody, (EDGE, MIGRATION), (DATA,), (NETWORK,)):
        wanted = [name for each in group if (name := names.stack(options, each)) in there]
        stacks.delete(wanted)
        for name in wanted:
            say(f"  {name}: deleted")
    stacks.remove_templates()
    return [*(f"stack {name}" for name in stacks.names()), *_resources(place)]


def _resources(place: DeploymentTarget) -> Iterator[str]:
    """Yield the resources that AWS would continue to charge for."""
    for kind, service, operation, key in (
        ("table", "dynamodb", "list_tables", "TableNames"),
        ("cluster", "ecs", "list_clusters", "clusterArns"),
        ("load balancer", "elbv2", "describe_load_balancers", "LoadBalancers"),
        ("target group", "elbv2", "describe_target_groups", "TargetGroups"),
        ("queue", "sqs", "list_queues", "QueueUrls"),
        ("topic", "sns", "list_topics", "Topics"),
        ("secret", "secretsmanager", "list_secrets", "SecretList"),
        ("database", "rds", "describe_db_instances", "DBInstances"),
        ("namespace", "servicediscovery", "list_namespaces", "Namespaces"),
        ("log group", "logs", "describe_log_groups", "logGroups"),
        ("bucket", "s3", "list_buckets", "Buckets"),
    ):
        for each in getattr(place.client(service), operation)().get(key, []):
            yield f"{kind} {each}"


if __name__ == "__main__":
    local_environment.isolate()
    sys.exit(main())
