"""Users as records and as DynamoDB items, and back.

A record holds the fields of `User`, with `erased` and `password_hash`; an item has the key of the
index instead of `erased`. Of an erased user only an erasure remains.
"""

from chassis import codec
from chassis.dynamodb.database import Item, list_shard
from chassis.ownership.records import Record
from users.dynamodb import tables
from users.model import User
from users.ports import Account

_FIELDS = (*codec.field_names(User), "password_hash")


def to_item(account: Account) -> Item:
    """Return the item of a new account."""
    return from_record(codec.to_json(account.user) | {"password_hash": account.password_hash})


def from_record(record: Record) -> Item:
    """Return the item of the record of a user who is not erased."""
    shard = list_shard(record["id"], tables.SHARDS)
    return {name: record[name] for name in _FIELDS} | {"list_shard": shard}


def to_user(item: Item) -> User:
    """Return the user of an item."""
    return codec.from_json(User, item)


def to_record(item: Item) -> Record:
    """Return the record of an item."""
    # Items of earlier revisions lack the last field.
    fields = {"sessions_valid_from": 0} | item
    return {name: fields[name] for name in _FIELDS} | {"erased": False}


def erased_record(erasure: Item) -> Record:
    """Return the record of an erased user; the progress of the erasure is auxiliary."""
    told = {name: erasure[name] for name in ("id", "version", "requested_at")}
    return told | {"erased": True}
