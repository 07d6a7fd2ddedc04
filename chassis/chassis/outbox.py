"""The outbox: events written in the same transaction as what they tell of, until published.

`DynamoOutbox` keeps it in a table of a service; a component with another datastore brings an
`Outbox` of its own. The relay publishes whatever is in it, in any order and at least once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from chassis.clock import Clock, NewId, moment, stamp
from chassis.dynamodb import Action, Database, list_shard
from chassis.events import Event, from_json
from chassis.tables import Index, Table

KEPT_FOR = timedelta(days=7)
"""So long a published event stays, to be published again if a queue was lost."""
SHARDS = 4
_UNPUBLISHED = "unpublished"
_BEAT = {"shard": "worker", "id": "beat"}


@dataclass(frozen=True)
class Beat:
    """When a component's worker was last at work, and how old the newest event was it applied."""

    at: datetime
    lag_seconds: float


class Outbox(Protocol):
    """What the relay needs of an outbox."""

    def pending(self, limit: int) -> Sequence[Event]:
        """Give some of the events that were not published yet, older ones first."""

    def published(self, events: Sequence[Event]) -> None:
        """Note that these were published; they are kept for `KEPT_FOR`."""

    def again(self, since: datetime) -> int:
        """Have all events recorded since then published once more; answers how many."""

    def oldest(self) -> datetime | None:
        """Tell when the oldest event that waits to be published was recorded."""

    def beat(self, beat: Beat) -> None:
        """Note that the worker is at work."""

    def last_beat(self) -> Beat | None:
        """Tell when the worker was last at work."""


def table(service: str) -> Table:
    """Define a service's outbox: spread over `SHARDS` partitions, each in the order of recording.

    A partition takes 1,000 write units a second; an event of a 2 KB post costs 3 in the table
    (twice that in a transaction) and as much in the index of the unpublished, which it enters and
    leaves. So a service records about 400 such events a second.
    """
    return Table(
        f"{service}-outbox",
        partition="shard",
        sort="id",
        indexes=(Index(_UNPUBLISHED, partition="unpublished", sort="id"),),
        expires="expires",
    )


class DynamoOutbox:
    """The outbox of a service with tables in DynamoDB; an event costs no call of its own."""

    def __init__(
        self, database: Database, name: str, source: str, clock: Clock, new_id: NewId
    ) -> None:
        self._db = database
        self._table = name
        self._source = f"/{source}"
        self._clock = clock
        self._new_id = new_id

    def record(self, kind: str, subject: str, version: int, data: dict[str, Any]) -> Action:
        """Make the action that records an event, for the transaction of what it tells of."""
        event = Event(self._new_id(), kind, self._source, subject, version, self._clock(), data)
        shard = list_shard(event.id, SHARDS)
        item = {
            "shard": shard,
            "id": event.id,
            "event": event.to_json(),
            "recorded_at": stamp(event.time),
            "unpublished": shard,
        }
        return self._db.put(self._table, item)

    def pending(self, limit: int) -> list[Event]:
        """Give up to `limit` unpublished events of each shard, in a query per shard."""
        return [
            from_json(item["event"])
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

    def published(self, events: Sequence[Event]) -> None:
        """Note that up to 100 events were published, in one call."""
        expires = int((self._clock() + KEPT_FOR).timestamp())
        self._mark(events, "SET expires = :expires REMOVE unpublished", expires=expires)

    def again(self, since: datetime) -> int:
        """Have all events recorded since then published once more, in calls of 100."""
        # UUIDv7: the first 48 bits are the milliseconds.
        milliseconds = f"{int(since.timestamp() * 1000):012x}"
        first = f"{milliseconds[:8]}-{milliseconds[8:]}"
        count = 0
        for shard in map(str, range(SHARDS)):
            after = first
            while True:
                items = self._db.query(
                    self._table,
                    "shard = :shard AND id > :after",
                    limit=100,
                    ascending=True,
                    shard=shard,
                    after=after,
                )
                if not items:
                    break
                events = [from_json(item["event"]) for item in items]
                self._mark(events, "SET unpublished = :shard", shard=shard)
                count += len(events)
                after = items[-1]["id"]
        return count

    def oldest(self) -> datetime | None:
        """Tell when the oldest unpublished event was recorded, in a query per shard."""
        found = [
            moment(item["recorded_at"])
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

    def beat(self, beat: Beat) -> None:
        """Note that the worker is at work, in an item beside the events."""
        item = _BEAT | {"at": stamp(beat.at), "lag_milliseconds": int(beat.lag_seconds * 1000)}
        self._db.put_if(self._table, item, "")

    def last_beat(self) -> Beat | None:
        """Tell when the worker was last at work."""
        item = self._db.get(self._table, _BEAT, consistent=False)
        return Beat(moment(item["at"]), item["lag_milliseconds"] / 1000) if item else None

    def _mark(self, events: Sequence[Event], change: str, **values: Any) -> None:
        self._db.transact(
            [
                self._db.update(
                    self._table,
                    {"shard": list_shard(event.id, SHARDS), "id": event.id},
                    change,
                    "attribute_exists(id)",
                    **values,
                )
                for event in events
            ]
        )
