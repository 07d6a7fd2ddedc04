"""Threads as records and as DynamoDB items, and back.

A record holds the fields of `ThreadState`, with `id`, `version` and `deleted`; of a deleted thread
only those three. An item is a record with counters and the keys of the indexes, which only threads
that are not deleted have.
"""

from datetime import datetime
from typing import Any

from chassis import codec
from chassis.clock import clamp_to_present, format_timestamp, parse_timestamp
from chassis.dynamodb.database import Item, list_shard
from chassis.ownership.records import Record
from threads.dynamodb import tables
from threads.model import Thread, ThreadState

_STATE = codec.field_names(ThreadState)


def state_of(content: Thread | Record) -> dict[str, Any]:
    """Return the attributes that users change: the state and its version."""
    if isinstance(content, Thread):
        return codec.to_json(content, ThreadState) | {"version": content.version}
    return {name: content[name] for name in (*_STATE, "version")}


def to_item(thread: Thread) -> Item:
    """Return the item of a new thread."""
    activity = format_timestamp(thread.last_activity_at)
    return _item(thread.id, state_of(thread), activity, thread.post_count)


def from_record(record: Record, now: datetime) -> Item:
    """Return the item of a record, with no post counted."""
    activity = clamp_to_present(parse_timestamp(record["created_at"]), now)
    return _item(record["id"], state_of(record), format_timestamp(activity), 0)


def tombstone(thread_id: str, version: int) -> Item:
    """Return the item that remains of a deleted thread."""
    return {"id": thread_id, "version": version, "deleted": True}


def is_deleted(item: Item) -> bool:
    """Return whether the thread of an item was deleted."""
    return "deleted" in item


def to_record(item: Item) -> Record:
    """Return the record of an item."""
    record = {"id": item["id"], "version": item["version"], "deleted": is_deleted(item)}
    return record if record["deleted"] else record | {name: item[name] for name in _STATE}


def to_thread(item: Item, author_name: str) -> Thread:
    """Return the thread of an item, with its author's current name."""
    return codec.from_json(Thread, {**item, "author_name": author_name})


def _item(thread_id: str, state: dict[str, Any], activity: str, post_count: int) -> Item:
    return {
        "id": thread_id,
        **state,
        "last_activity_at": activity,
        "post_count": post_count,
        "activity_key": tables.activity_key(activity, thread_id),
        "list_shard": list_shard(thread_id, tables.SHARDS),
    }
