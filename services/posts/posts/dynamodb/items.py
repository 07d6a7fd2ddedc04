"""Posts as records and as DynamoDB items, and back.

A record holds the fields of `PostState`, with `id`, `version` and `html`. An item is a record whose
`author_id` is called `written_by`: the attributes `author_id` and `list_shard` are the keys of the
indexes, and only posts that are not deleted have them.
"""

from typing import Any

from chassis import codec
from chassis.dynamodb.database import Item, list_shard
from chassis.ownership.records import Record
from posts.dynamodb import tables
from posts.model import Post, PostState

_SAME_NAMES = ("id", "version", "html", *codec.field_names(PostState))


def to_record(post: Post) -> Record:
    """Return the record of a post."""
    record = codec.to_json(post)
    del record["author_name"]
    return record


def to_item(record: Record) -> Item:
    """Return the item of a record."""
    item: dict[str, Any] = {name: record[name] for name in _SAME_NAMES}
    author_id = item.pop("author_id")
    item["written_by"] = author_id
    if not record["deleted"]:
        item |= {"author_id": author_id, "list_shard": list_shard(record["id"], tables.SHARDS)}
    return item


def from_item(item: Item) -> Record:
    """Return the record of an item."""
    return {name: item["written_by" if name == "author_id" else name] for name in _SAME_NAMES}


def to_post(item: Item, author_name: str) -> Post:
    """Return the post of an item, with its author's current name."""
    return codec.from_json(
        Post, {**item, "author_id": item["written_by"], "author_name": author_name}
    )
