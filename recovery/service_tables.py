"""Copy of a service's tables from a backup into the tables that the service uses.

A table can't be renamed on DynamoDB, and the names of the service's tables are fixed. So a backup
becomes tables of its own first, at another endpoint or with another prefix, and their items are
copied.
"""

import time

import boto3
from botocore.exceptions import EndpointConnectionError

from chassis.dynamodb.database import Database, Item
from chassis.ownership.records import delete_all_items
from chassis.ownership.state import ownership_table
from extraction.endpoints import Endpoints
from infra.domains import SERVICES
from infra.ministack import PREFIX
from recovery.backup import RestoreError
from recovery.reconcile import raise_versions

STARTUP_SECONDS = 30


def open_tables(url: str | None = None, prefix: str = PREFIX) -> Database:
    """Return tables with a prefix at an endpoint; the environment's without one."""
    return Database(boto3.client("dynamodb", endpoint_url=url), prefix)


def restore_tables(source: Database, endpoints: Endpoints, domain: str) -> int:
    """Replace a service's tables by others' items; return the number of records.

    Each record gets a later version than any that others have seen. The table of the domain's
    ownership stays: moves of the domain since the backup happened. Nobody may write meanwhile.

    Raises:
        RestoreError: a table is missing in the source.
    """
    tables = [table for table in SERVICES[domain].tables if table != ownership_table(domain)]
    existing = _table_names(source)
    # Before anything is deleted.
    if missing := [
        table.name for table in tables if f"{source.prefix}{table.name}" not in existing
    ]:
        msg = f"The backup has no table {', '.join(missing)} of the {domain} service."
        raise RestoreError(msg)
    target = endpoints.dynamo
    delete_all_items(target, tables)
    for table in tables:
        after: Item | None = None
        while True:
            items, after = source.scan(table.name, after)
            target.put_items(table.name, items)
            if after is None:
                break
    return raise_versions(endpoints.service_records[domain])


def _table_names(source: Database) -> set[str]:
    deadline = time.monotonic() + STARTUP_SECONDS
    while True:
        try:
            pages = source.client.get_paginator("list_tables").paginate()
            return {name for page in pages for name in page["TableNames"]}
        except EndpointConnectionError:
            # A datastore that has just been started.
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
