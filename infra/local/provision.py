"""Create what the named services need: `python -m infra.local.provision users threads`.

That is their tables, and for them and the monolith the topic and the queues of events.
"""

import importlib
import os
import sys
from collections.abc import Iterator, Sequence

import boto3

from chassis import subscriptions, tables
from infra.local.bus import PREFIX


def main() -> int:
    """Create whatever is missing; can be repeated at any time."""
    services = sys.argv[1:]
    for name in make_tables(services):
        print(f"created {name}")
    make_queues(services)
    return 0


def make_tables(services: Sequence[str]) -> Iterator[str]:
    """Make the tables that services lack, and name each that was made."""
    database = boto3.client("dynamodb")
    prefix = os.environ.get("TABLE_PREFIX", PREFIX)
    for service in services:
        owned = importlib.import_module(f"{service}.tables").TABLES
        yield from tables.provision(database, prefix, owned)


def make_queues(services: Sequence[str]) -> None:
    """Make the topic, and the queues of services and of the monolith beside them."""
    wanted = [_subscription(service) for service in services]
    wanted.append(importlib.import_module("forum.subscription").at(frozenset(services)))
    subscriptions.provision(boto3.client("sns"), boto3.client("sqs"), PREFIX, wanted)


def _subscription(service: str) -> subscriptions.Subscription:
    taken: subscriptions.Subscription
    taken = importlib.import_module(f"{service}.subscription").SUBSCRIPTION
    return taken


if __name__ == "__main__":
    sys.exit(main())
