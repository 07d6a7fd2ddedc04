"""Create what services need: `SERVICES=users,threads python -m infra.provisioning`.

That is their tables, and for them and the monolith the topic and the queues of events. Where
domains were moved, the file that STAGE_FILE names says which services there are by now.
"""

import os
import sys
from collections.abc import Iterator, Sequence
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
    """Create whatever is missing; can be repeated at any time."""
    stage = current_stage()
    for name in provision_tables(stage.services):
        print(f"created {name}")
    provision_queues(stage.extracted, stage.moving)
    return 0


def current_stage() -> CurrentStage:
    """Return the stage in the file that STAGE_FILE names, or the one of SERVICES without it."""
    recorded = read_current_stage(Path(os.environ["STAGE_FILE"]))
    return recorded or CurrentStage(stages.parse(os.environ["SERVICES"]))


def provision_tables(services: Sequence[str]) -> Iterator[str]:
    """Make the tables that services lack, and name each that was made."""
    database = boto3.client("dynamodb")
    prefix = os.environ.get("TABLE_PREFIX", PREFIX)
    for service in services:
        yield from tables.create_tables(database, prefix, SERVICES[service].tables)


def provision_queues(extracted: frozenset[str], moving: frozenset[str] = frozenset()) -> None:
    """Make the topic, and the queues of services and of the monolith beside them."""
    services = stages.in_canonical_order(extracted | moving)
    wanted = [SERVICES[service].subscription for service in services]
    wanted.append(monolith_subscription(extracted, moving))
    subscriptions.provision_bus(boto3.client("sns"), boto3.client("sqs"), PREFIX, wanted)


def drop_subscription(domain: str) -> None:
    """Let nothing more go to a queue that nobody reads."""
    sns: Any = boto3.client("sns")
    name = subscriptions.Subscription(domain, ()).queue_name(PREFIX)
    pages = sns.get_paginator("list_subscriptions").paginate()
    for subscription in (one for page in pages for one in page["Subscriptions"]):
        of_ours = subscription["TopicArn"].endswith(f":{subscriptions.topic_name(PREFIX)}")
        if of_ours and subscription["Endpoint"].endswith(f":{name}"):
            sns.unsubscribe(SubscriptionArn=subscription["SubscriptionArn"])
    sqs: Any = boto3.client("sqs")
    sqs.purge_queue(QueueUrl=sqs.get_queue_url(QueueName=name)["QueueUrl"])


if __name__ == "__main__":
    sys.exit(main())
