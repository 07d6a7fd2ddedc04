"""People in DynamoDB; `users.dynamodb.tables` says which partition carries which load.

What a write tells others is in the outbox by the same transaction.
"""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from chassis.clock import Clock, format_timestamp, parse_timestamp
from chassis.dynamodb.database import Database, Item, TransactionCanceled, list_shard
from chassis.idempotency.keys import DuplicateIdempotencyKey, IdempotencyKey
from chassis.idempotency.store import IdempotencyStore
from chassis.messaging.dynamodb_outbox import DynamoOutbox
from chassis.ownership.state import change_marker
from chassis.pagination import Key, Page
from users import events
from users.dynamodb import tables
from users.model import Erasure, User
from users.ports import Account, ConcurrentModification, UsernameTaken

USERS = tables.USERS.name
USERNAMES = tables.USERNAMES.name
ERASURES = tables.ERASURES.name
UNCHANGED = "version = :expected"


class DynamoStore:
    """Keeps people in the service's own tables."""

    def __init__(self, database: Database, outbox: DynamoOutbox, clock: Clock) -> None:
        self._db = database
        self._outbox = outbox
        self._clock = clock
        self._answers = IdempotencyStore(database, tables.IDEMPOTENCY.name, clock)

    def get(self, user_id: str) -> Account | None:
        """Read a person; strongly consistent."""
        item = self._db.get(USERS, {"id": user_id})
        return Account(_user(item), item["password_hash"]) if item else None

    def get_many(self, user_ids: Sequence[str]) -> dict[str, User]:
        """Read those of up to 100 people who exist, in one call; strongly consistent."""
        found = self._db.get_by_partition(USERS, "id", user_ids)
        return {user_id: _user(item) for user_id, item in found.items()}

    def find(self, username_key: str) -> Account | None:
        """Read a person by name, in two calls; strongly consistent."""
        name = self._db.get(USERNAMES, {"name": username_key})
        return self.get(name["id"]) if name else None

    def newest(self, limit: int, after: Key | None) -> Page[User]:
        """List people, newest first, in one query per shard; may lag behind."""
        before = after[0] if after else None
        found = self._db.query_newest(
            USERS, "listed", "id", shards=tables.SHARDS, limit=limit + 1, before=before
        )
        users = [_user(item) for item in found[:limit]]
        return Page(users, (users[-1].id,) if len(found) > limit else None)

    def add(
        self, account: Account, name: str, key: IdempotencyKey | None, answer: dict[str, Any]
    ) -> None:
        """Add a person and claim their name in one transaction."""
        user = account.user
        claim = {"name": name, "id": user.id}
        actions = [
            self._db.put(USERNAMES, claim, "attribute_not_exists(id)"),
            self._db.put(USERS, _item(user) | {"password_hash": account.password_hash}),
            self._outbox.record(events.REGISTERED, user.id, user.version, events.state(user)),
        ]
        if key:
            actions.append(self._answers.store_response(key, answer))
        try:
            self._db.transact(actions)
        except TransactionCanceled as refusal:
            if key and refusal.failed(3):
                raise DuplicateIdempotencyKey from refusal
            raise UsernameTaken from refusal

    def replace(self, before: User, after: User) -> None:
        """Write a person's new state over the one that was read, in one transaction."""
        change = (
            "SET display_name = :display_name, bio = :bio, #role = :role, "
            "suspended = :suspended, version = :version"
        )
        action = self._db.update(
            USERS,
            {"id": after.id},
            change,
            UNCHANGED,
            display_name=after.display_name,
            bio=after.bio,
            role=after.role,
            suspended=after.suspended,
            version=after.version,
            expected=before.version,
        )
        # `role` is a reserved word of DynamoDB's expressions.
        action["Update"]["ExpressionAttributeNames"] = {"#role": "role"}
        kind = events.changed(before, after)
        self._apply(action, self._outbox.record(kind, after.id, after.version, events.state(after)))

    def set_password(self, account: Account, password_hash: str) -> None:
        """Replace the password's hash that an account was read with.

        That is nobody else's to know, so no event tells of it but to whoever moves people.
        """
        self._apply(
            self._db.update(
                USERS,
                {"id": account.user.id},
                "SET password_hash = :new",
                "password_hash = :old",
                new=password_hash,
                old=account.password_hash,
            ),
            self._db.put(tables.OWNERSHIP.name, change_marker(account.user.id, self._clock())),
        )

    def erase(self, user: User, name: str, erasure: Erasure) -> None:
        """Remove a person, free their name and begin the erasure, in one transaction."""
        self._apply(
            self._db.delete(USERS, {"id": user.id}, UNCHANGED, expected=user.version),
            self._db.delete(USERNAMES, {"name": name}),
            self._db.put(ERASURES, _erasure_item(erasure)),
            self._outbox.record(events.ERASED, erasure.id, erasure.version, {}),
        )

    def erasure(self, user_id: str) -> Erasure | None:
        """Read how far a person's erasure is; strongly consistent."""
        item = self._db.get(ERASURES, {"id": user_id})
        return _erasure(item) if item else None

    def update_erasure(self, before: Erasure, after: Erasure) -> None:
        """Write an erasure's new state over the one that was read."""
        awaited = _erasure_item(before)["waiting_for"]
        if not self._db.put_item_if(
            ERASURES, _erasure_item(after), "waiting_for = :awaited", awaited=awaited
        ):
            raise ConcurrentModification

    def count_attempt(self, counter: str, expires: datetime) -> int:
        """Count one more attempt, atomically, and answer how many there were."""
        item = self._db.increment(
            tables.SIGN_INS.name, {"counter": counter}, int(expires.timestamp())
        )
        hits: int = item["hits"]
        return hits

    def find_response(self, key: IdempotencyKey | None) -> dict[str, Any] | None:
        """Look up the first answer to an idempotency key."""
        return self._answers.find_response(key)

    def check(self) -> None:
        """Check that the datastore answers."""
        self._db.check_table(USERS)

    def _apply(self, *actions: dict[str, Any]) -> None:
        try:
            self._db.transact(actions)
        except TransactionCanceled as refusal:
            raise ConcurrentModification from refusal


def _item(user: User) -> Item:
    return asdict(user) | {
        "created_at": format_timestamp(user.created_at),
        "list_shard": list_shard(user.id, tables.SHARDS),
    }


def _user(item: Item) -> User:
    return User(
        id=item["id"],
        username=item["username"],
        display_name=item["display_name"],
        bio=item["bio"],
        role=item["role"],
        suspended=item["suspended"],
        created_at=parse_timestamp(item["created_at"]),
        version=item["version"],
    )


def _erasure_item(erasure: Erasure) -> Item:
    return {
        "id": erasure.id,
        "version": erasure.version,
        "requested_at": format_timestamp(erasure.requested_at),
        "waiting_for": sorted(erasure.waiting_for),
        "finished_at": erasure.finished_at and format_timestamp(erasure.finished_at),
    }


def _erasure(item: Item) -> Erasure:
    return Erasure(
        id=item["id"],
        version=item["version"],
        requested_at=parse_timestamp(item["requested_at"]),
        waiting_for=frozenset(item["waiting_for"]),
        finished_at=parse_timestamp(item["finished_at"]) if item["finished_at"] else None,
    )
