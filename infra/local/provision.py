"""Create the tables of services: `python -m infra.local.provision users threads`."""

import importlib
import os
import sys

import boto3

from chassis import tables


def main() -> int:
    """Create whatever is missing of the named services' tables."""
    client = boto3.client("dynamodb")
    prefix = os.environ.get("TABLE_PREFIX", "forum-")
    for service in sys.argv[1:]:
        owned = importlib.import_module(f"{service}.tables").TABLES
        for name in tables.provision(client, prefix, owned):
            print(f"created {name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
