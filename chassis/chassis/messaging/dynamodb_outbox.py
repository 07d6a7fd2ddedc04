"""The outbox: events written in the same transaction as the change they describe.

`DynamoOutbox` stores it in a table of a service; a component with another datastore has its own
`Outbox`. The relay publishes the events in any order, at least once each.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

from chassis.batching import batched
from chassis.clock import Clock, NewId, format_timestamp, parse_timestamp
from chassis.dynamodb.database import Action, Database, TransactionCanceled, list_shard
from chassis.dynamodb.tables import Index, Table
from chassis.messaging.events import Event, parse_event
from chassis.messaging.outbox import RETENTION, Heartbeat

SHARDS = 4
_UNPUBLISHED = "unpublished"
# A DynamoDB transaction has at most 100 actions, on items of 4 MB in total.
_MOST, _MOST_BYTES = 100, 3 * 1024 * 1024
_HEARTBEAT_KEY = {"list_shard": "worker", "id": "beat"}


def outbox_table(service: str) -> Table:
    """Define a service's outbox: spread over `SHARDS` partitions, each in the order of recording.

    A partition allows 1,000 write units a second. An event of a 2 KB post costs 3 in the table
    (twice that in a transaction) and as much in the index of unpublished events, when it enters
    and when it leaves. So a service can record about 400 such events a second.
    """
    return Table(
        f"{service}-outbox",
        partition="list_shard",
        sort="id",
        indexes=(Index(_UNPUBLISHED, partition="unpublished", sort="id"),),
        ttl_attribute="expires",
    )


class DynamoOutbox:
    """The outbox of a service with tables in DynamoDB; an event costs no call of its own."""

    def __init__(
        self,
        database: Database,
        name: str,
        source: str,
        clock: Clock,
        new_id: NewId,
        *,
        types: Collection[str],
    ) -> None:
        """Create an outbox of the declared event `types`; others are refused."""
        self._db = database
        self._table = name
        self._source = f"/{source}"
        self._types = frozenset(types)
        self._clock = clock
        self._new_id = new_id

    def record(self, kind: str, subject: str, version: int, data: dict[str, Any]) -> Action:
        """Build the action that records an event, for the transaction of the described change.

        Raises:
            ValueError: the event could never be published, or the domain does not declare its
                type. An extraction follows the declared events, so it would miss this one.
        """
        if kind not in self._types:
            message = f"{kind} is not declared as an event type of {self._source}"
            raise ValueError(message)
        event = Event(self._new_id(), kind, self._source, subject, version, self._clock(), data)
        shard = list_shard(event.id, SHARDS)
        item = {
            "list_shard": shard,
            "id": event.id,
            "event": event.to_json(),
            "recorded_at": format_timestamp(event.time),
            "unpublished": shard,
        }
        return self._db.put(self._table, item)

    def load_unpublished(self, limit: int) -> list[Event]:
        """Return up to `limit` unpublished events of each shard, in a query per shard."""
        return [
            parse_event(item["event"])
            for shard in range(SHARDS)
            for item in self._db.query(
                self._table,
                "unpublished = :shard",
                index=_UNPUBLISHED,
                limit=limit,
                ascending=True,
                shard=str(shard),
            )
        ]

    def mark_published(self, events: Sequence[Event]) -> None:
        """Mark events as published, usually in one call; skip those that no longer exist."""
        expires = int((self._clock() + RETENTION).timestamp())
        written = ((event.id, len(event.to_json().encode())) for event in events)
        self._mark(written, "SET expires = :expires REMOVE unpublished", expires=expires)

    def republish_since(self, since: datetime) -> int:
        """Mark all events recorded since then for republishing; return their number."""
        # UUIDv7: the first 48 bits are the milliseconds.
        milliseconds = f"{max(0, int(since.timestamp() * 1000)):012x}"
        first = f"{milliseconds[:8]}-{milliseconds[8:]}"
        count = 0
        for shard in map(str, range(SHARDS)):
            after = first
            while items := self._db.query(
                self._table,
                "list_shard = :shard AND id > :after",
                limit=100,
                ascending=True,
                shard=shard,
                after=after,
            ):
                written = ((item["id"], len(item["event"].encode())) for item in items)
                # An event must not expire before it is published.
                count += self._mark(written, "SET unpublished = :shard REMOVE expires", shard=shard)
                after = items[-1]["id"]
        return count

    def oldest_unpublished_at(self) -> datetime | None:
        """Return when the oldest unpublished event was recorded, in a query per shard."""
        found = [
            parse_timestamp(item["recorded_at"])
            for shard in range(SHARDS)
            for item in self._db.query(
                self._table,
                "unpublished = :shard",
                index=_UNPUBLISHED,
                limit=1,
                ascending=True,
                shard=str(shard),
            )
        ]
        return min(found, default=None)

    def record_heartbeat(self, beat: Heartbeat) -> None:
        """Record the worker's heartbeat, in an item beside the events."""
        item = _HEARTBEAT_KEY | {
            "at": format_timestamp(beat.at),
            "lag_milliseconds": int(beat.lag_seconds * 1000),
        }
        self._db.put_item_if(self._table, item, "")

    def last_heartbeat(self) -> Heartbeat | None:
        """Return the worker's last heartbeat."""
        item = self._db.get(self._table, _HEARTBEAT_KEY, consistent=False)
        return (
            Heartbeat(parse_timestamp(item["at"]), item["lag_milliseconds"] / 1000)
            if item
            else None
        )

    def _mark(self, written: Iterable[tuple[str, int]], change: str, **values: Any) -> int:
        """Change items, given by their ids and bytes; return how many still existed."""
        count = 0
        for portion in batched(written, _MOST, _MOST_BYTES):
            actions = [
                self._db.update(
                    self._table,
                    {"list_shard": list_shard(event_id, SHARDS), "id": event_id},
                    change,
                    "attribute_exists(id)",
                    **values,
                ).labelled(event_id)
                for event_id, _ in portion
            ]
            while actions:
                try:
                    self._db.transact(actions)
                except TransactionCanceled as canceled:
                    # Some have expired since they were read.
                    actions = [one for one in actions if not canceled.failed(one.label)]
                else:
                    count += len(actions)
                    break
        return count
