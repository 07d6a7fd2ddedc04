"""Stored responses to idempotency keys in DynamoDB, written in the write's own transaction."""

from datetime import datetime
from typing import Any

from chassis.clock import Clock
from chassis.dynamodb.database import Action, Database
from chassis.dynamodb.tables import Table
from chassis.idempotency.keys import RETENTION, IdempotencyKey

LABEL = "idempotency-key"
"""The label of the action that claims a key."""


def idempotency_table(service: str) -> Table:
    """Define a service's table of stored responses: one partition per key, so none is hot."""
    return Table(f"{service}-idempotency", partition="scope", ttl_attribute="expires")


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
        item = self._database.get(self._table, {"scope": key.scope})
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
            "scope": key.scope,
            "fingerprint": key.fingerprint,
            "answer": answer,
            "expires": _second(now + RETENTION),
        }
        free = "attribute_not_exists(fingerprint) OR expires <= :now"
        return self._database.put(self._table, item, free, now=_second(now)).labelled(LABEL)


def _second(moment: datetime) -> int:
    return int(moment.timestamp())
