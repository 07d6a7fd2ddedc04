"""Users in DynamoDB; `users.dynamodb.tables` describes the load on each partition.

Each write records its event in the outbox in the same transaction.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from chassis import codec
from chassis.dynamodb.database import Action, Database, TransactionCanceled
from chassis.idempotency.keys import IdempotencyKey
from chassis.idempotency.store import IdempotencyStore
from chassis.messaging.dynamodb_outbox import DynamoOutbox
from chassis.pagination import Key, Page
from users import events
from users.dynamodb import items, tables
from users.model import Erasure, User, newcomer
from users.ports import Account, ConcurrentModification, UsernameTaken

USERS = tables.USERS.name
USERNAMES = tables.USERNAMES.name
ERASURES = tables.ERASURES.name
UNCHANGED = "version = :expected"


class DynamoStore:
    """Store of users in the service's own tables."""

    def __init__(
        self,
        database: Database,
        outbox: DynamoOutbox,
        responses: IdempotencyStore,
    ) -> None:
        self._db = database
        self._outbox = outbox
        self._responses = responses

    def get(self, user_id: str) -> Account | None:
        """Read an account; strongly consistent."""
        item = self._db.get(USERS, {"id": user_id})
        return Account(items.to_user(item), item["password_hash"]) if item else None

    def get_many(self, user_ids: Sequence[str]) -> dict[str, User]:
        """Read up to 100 users by id, as far as they exist, in one call; strongly consistent."""
        found = self._db.get_by_partition(USERS, "id", user_ids)
        return {user_id: items.to_user(item) for user_id, item in found.items()}

    def find(self, username_key: str) -> Account | None:
        """Read an account by its username's key, in two calls; strongly consistent."""
        name = self._db.get(USERNAMES, {"name": username_key})
        return self.get(name["id"]) if name else None

    def newest(self, limit: int, after: Key | None) -> Page[User]:
        """List users, newest first, in one query per shard; may lag behind."""
        before = after[0] if after else None
        found = self._db.query_newest(
            USERS, "listed", "id", shards=tables.SHARDS, limit=limit + 1, before=before
        )
        users = [items.to_user(item) for item in found[:limit]]
        return Page(users, (users[-1].id,) if len(found) > limit else None)

    def add(
        self, account: Account, name: str, key: IdempotencyKey | None, response: dict[str, Any]
    ) -> None:
        """Add an account and claim its username in one transaction."""
        user = account.user
        claim = {"name": name, "id": user.id}
        actions = [
            self._db.put(USERNAMES, claim, "attribute_not_exists(id)"),
            self._db.put(USERS, items.to_item(account)),
            self._outbox.record(events.REGISTERED, user.id, user.version, events.event_data(user)),
        ]
        if key:
            actions.append(self._responses.store_response(key, response))
        try:
            self._db.transact(actions)
        except TransactionCanceled as canceled:
            # Only the name decides: a key belongs to a name, and an erasure deletes both.
            raise UsernameTaken from canceled

    def replace(self, before: User, after: User, password_hash: str | None = None) -> None:
        """Replace the state of a user that was read, and the hash, in one transaction."""
        password = {} if password_hash is None else {"password_hash": password_hash}
        self._apply(
            self._db.replace_item(
                USERS,
                {"id": after.id},
                codec.to_json(before),
                codec.to_json(after) | password,
                UNCHANGED,
                expected=before.version,
            ),
            self._outbox.record(
                events.change_type(before, after),
                after.id,
                after.version,
                events.event_data(after),
            ),
        )

    def erase(self, user: User, name: str, erasure: Erasure) -> None:
        """Remove an account, free its username and begin the erasure, in one transaction."""
        self._apply(
            *self._responses.delete_response(newcomer(name), user.id),
            self._db.delete(USERS, {"id": user.id}, UNCHANGED, expected=user.version),
            self._db.delete(USERNAMES, {"name": name}),
            self._db.put(ERASURES, codec.to_json(erasure)),
            self._outbox.record(events.ERASED, erasure.id, erasure.version, {}),
        )

    def erasure(self, user_id: str) -> Erasure | None:
        """Read the erasure of an account; strongly consistent."""
        item = self._db.get(ERASURES, {"id": user_id})
        return codec.from_json(Erasure, item) if item else None

    def update_erasure(self, before: Erasure, after: Erasure) -> None:
        """Replace the state of an erasure that was read."""
        awaited = codec.to_json(before)["waiting_for"]
        if not self._db.put_item_if(
            ERASURES, codec.to_json(after), "waiting_for = :awaited", awaited=awaited
        ):
            raise ConcurrentModification

    def count_attempt(self, counter: str, expires: datetime) -> int:
        """Count one more attempt, atomically, and return how many there were."""
        item = self._db.increment(
            tables.SIGN_INS.name, {"counter": counter}, int(expires.timestamp())
        )
        hits: int = item["hits"]
        return hits

    def find_response(self, key: IdempotencyKey | None) -> dict[str, Any] | None:
        """Return the first response to an idempotency key."""
        return self._responses.find_response(key)

    def check(self) -> None:
        """Check that the datastore is reachable."""
        self._db.check_table(tables.USERS)

    def _apply(self, *actions: Action) -> None:
        try:
            self._db.transact(actions)
        except TransactionCanceled as canceled:
            raise ConcurrentModification from canceled
