"""Stored responses to idempotency keys in DynamoDB, written in the write's own transaction."""

from datetime import datetime
from typing import Any

from chassis.clock import Clock
from chassis.dynamodb.database import Action, Database, Item
from chassis.dynamodb.tables import Table
from chassis.idempotency.keys import RETENTION, IdempotencyKey

LABEL = "idempotency-key"
"""The label of the action that claims a key."""
_BATCH = 20
"""Responses per transaction, whose limit is 4 MB; the longest have 200 KB."""


def idempotency_table(service: str) -> Table:
    """Define a service's table of stored responses.

    One partition per owner of keys, so that all of a person's responses can be deleted. None is
    hot: a person writes a few times a minute at most.
    """
    return Table(
        f"{service}-responses",
        partition="owner_id",
        sort="request_key",
        ttl_attribute="expires",
    )


def item_key(key: IdempotencyKey) -> dict[str, str]:
    """Return the key of the item with the response."""
    return {"owner_id": key.owner, "request_key": f"{key.path} {key.key}"}


def delete_responses(database: Database, table: str, owner: str) -> None:
    """Delete the responses to all keys of an owner, who was erased."""
    while found := _of_owner(database, table, owner):
        database.transact([_deletion(database, table, item) for item in found])


def _of_owner(database: Database, table: str, owner: str) -> list[Item]:
    return database.query(table, "owner_id = :owner", limit=_BATCH, ascending=True, owner=owner)


def _deletion(database: Database, table: str, item: Item) -> Action:
    return database.delete(table, {name: item[name] for name in ("owner_id", "request_key")})


class IdempotencyStore:
    """One service's responses to idempotency keys, kept for 24 hours."""

    def __init__(self, database: Database, name: str, clock: Clock) -> None:
        self._database = database
        self._table = name
        self._clock = clock

    def find_response(self, key: IdempotencyKey | None) -> dict[str, Any] | None:
        """Return the stored response to a key; strongly consistent.

        Raises:
            IdempotencyKeyReused: the key was used for another request.
        """
        if key is None:
            return None
        item = self._database.get(self._table, item_key(key))
        # DynamoDB removes expired items up to days late.
        if item is None or item["expires"] <= _second(self._clock()):
            return None
        key.require_same_request(item["fingerprint"])
        answer: dict[str, Any] = item["answer"]
        return answer

    def store_response(self, key: IdempotencyKey, answer: dict[str, Any]) -> Action:
        """Build the action that claims the key; in a race, its condition holds only once."""
        now = self._clock()
        item = {
            **item_key(key),
            "fingerprint": key.fingerprint,
            "answer": answer,
            "expires": _second(now + RETENTION),
        }
        free = "attribute_not_exists(fingerprint) OR expires <= :now"
        return self._database.put(self._table, item, free, now=_second(now)).labelled(LABEL)

    def delete_response(self, owner: str, thing: str) -> list[Action]:
        """Build the actions that delete the responses to an owner's keys that tell of one thing."""
        return [
            _deletion(self._database, self._table, item)
            for item in _of_owner(self._database, self._table, owner)
            if item["answer"]["id"] == thing
        ]


def _second(moment: datetime) -> int:
    return int(moment.timestamp())
