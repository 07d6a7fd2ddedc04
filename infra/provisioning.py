"""Create the services' resources: `SERVICES=users,threads python -m infra.provisioning`.

These are their tables, and the topic and the queues of events, including the monolith's. If domains
were moved, the file in STAGE_FILE contains the current services.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import boto3

from chassis.dynamodb import tables
from chassis.messaging import subscriptions
from forum.domains import subscription as monolith_subscription
from infra import stages
from infra.current_stage import CurrentStage, read_current_stage
from infra.domains import SERVICES
from infra.ministack import PREFIX


def main() -> int:
    """Create all missing resources; idempotent."""
    provision(current_stage())
    return 0


def provision(stage: CurrentStage) -> None:
    """Create the missing resources of a stage, and print the names of new tables."""
    for name in provision_tables(stage.services):
        print(f"created {name}")
    provision_queues(stage.extracted, stage.moving)


def current_stage() -> CurrentStage:
    """Return the stage in the file STAGE_FILE, or that of SERVICES without a file."""
    recorded = read_current_stage(Path(os.environ["STAGE_FILE"]))
    return recorded or CurrentStage(stages.parse(os.environ["SERVICES"]))


def provision_tables(services: Sequence[str]) -> Iterator[str]:
    """Create the missing tables of services, and yield their names."""
    database = boto3.client("dynamodb")
    prefix = os.environ.get("TABLE_PREFIX", PREFIX)
    for service in services:
        yield from tables.create_tables(database, prefix, SERVICES[service].tables)


def bus_subscriptions(stage: CurrentStage) -> list[subscriptions.Subscription]:
    """Return the subscriptions of the services and of the monolith."""
    wanted = [SERVICES[service].subscription for service in stage.services]
    return [*wanted, monolith_subscription(stage.extracted, stage.moving)]


def provision_queues(extracted: frozenset[str], moving: frozenset[str] = frozenset()) -> None:
    """Create the topic, and the queues of the services and of the monolith."""
    wanted = bus_subscriptions(CurrentStage(extracted, moving))
    subscriptions.provision_bus(boto3.client("sns"), boto3.client("sqs"), PREFIX, wanted)


def drop_subscription(domain: str) -> None:
    """Remove the subscription of a queue that is no longer consumed."""
    sns: Any = boto3.client("sns")
    name = subscriptions.Subscription(domain, ()).queue_name(PREFIX)
    pages = sns.get_paginator("list_subscriptions").paginate()
    for subscription in (one for page in pages for one in page["Subscriptions"]):
        of_ours = subscription["TopicArn"].endswith(f":{subscriptions.topic_name(PREFIX)}")
        if of_ours and subscription["Endpoint"].endswith(f":{name}"):
            sns.unsubscribe(SubscriptionArn=subscription["SubscriptionArn"])
    sqs: Any = boto3.client("sqs")
    # A move that was interrupted may not have created it.
    with suppress(sqs.exceptions.QueueDoesNotExist):
        sqs.purge_queue(QueueUrl=sqs.get_queue_url(QueueName=name)["QueueUrl"])


if __name__ == "__main__":
    sys.exit(main())
