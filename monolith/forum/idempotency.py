"""Responses to idempotency keys, stored in the transaction of the write."""

from collections.abc import Callable, Collection, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, String, delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from chassis.clock import Clock
from chassis.idempotency.keys import RETENTION, DuplicateIdempotencyKey, IdempotencyKey
from chassis.ownership.records import scope_owner
from forum.database import Base, Database, UtcDateTime, insert_into

PAGE = 500


class StoredResponse(Base):
    """The first response to an idempotency key."""

    __tablename__ = "idempotency_answers"

    scope: Mapped[str] = mapped_column(String(400), primary_key=True)
    fingerprint: Mapped[str] = mapped_column(String(64))
    response: Mapped[dict[str, Any]] = mapped_column("answer", JSON)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


def find_response(
    session: Session, key: IdempotencyKey | None, now: datetime
) -> dict[str, Any] | None:
    """Return the first response to a key.

    Raises:
        IdempotencyKeyReused: the key was used for another request.
    """
    kept = session.get(StoredResponse, key.scope) if key else None
    if key is None or kept is None or kept.expires_at <= now:
        return None
    key.require_same_request(kept.fingerprint)
    return kept.response


def store_response(
    session: Session, key: IdempotencyKey | None, response: dict[str, Any], now: datetime
) -> None:
    """Claim a key for this transaction's response.

    Raises:
        DuplicateIdempotencyKey: another request with the key came first.
    """
    if key is None:
        return
    session.execute(delete(StoredResponse).where(StoredResponse.expires_at <= now))
    session.add(
        StoredResponse(
            scope=key.scope,
            fingerprint=key.fingerprint,
            response=response,
            expires_at=now + RETENTION,
        )
    )
    try:
        session.flush()
    except IntegrityError as error:
        raise DuplicateIdempotencyKey from error


def _users(values: dict[str, Any]) -> set[str]:
    """Return the ids of the users that a response may be about: its key's owner, and its record."""
    return {scope_owner(values), values["response"].get("id", "")}


@dataclass(frozen=True)
class IdempotencyRecords:
    """Responses to idempotency keys on one path, for a move of its domain.

    `lock_erased` returns which of some users were erased, and lets none be erased until the end of
    the transaction. A service may learn of an erasure later than the forum, and still have
    responses that the forum has already deleted.
    """

    database: Database
    path: str
    clock: Clock
    lock_erased: Callable[[Session, Collection[str]], AbstractSet[str]]

    def read_since(self, since: datetime | None) -> Iterator[list[dict[str, Any]]]:
        """Read the unexpired responses since then, in pages."""
        first = max(self.clock(), since + RETENTION) if since else self.clock()
        after = ""
        while True:
            query = (
                select(StoredResponse)
                # A scope consists of owner, path and key, none of which contains a space.
                .where(
                    StoredResponse.expires_at >= first,
                    StoredResponse.scope.contains(f" {self.path} "),
                )
                .where(StoredResponse.scope > after)
                .order_by(StoredResponse.scope)
                .limit(PAGE)
            )
            with self.database.reading() as session:
                rows = session.scalars(query).all()
            yield [
                {
                    "kind": "answer",
                    "scope": row.scope,
                    "fingerprint": row.fingerprint,
                    "answer": row.response,
                    "expires": int(row.expires_at.timestamp()),
                }
                for row in rows
            ]
            if len(rows) < PAGE:
                return
            after = rows[-1].scope

    def write(self, records: Sequence[dict[str, Any]]) -> None:
        """Store responses, but none that an erased user received."""
        kept = [
            {
                "scope": record["scope"],
                "fingerprint": record["fingerprint"],
                "response": record["answer"],
                "expires_at": datetime.fromtimestamp(record["expires"], UTC),
            }
            for record in records
            if record["kind"] == "answer"
        ]
        with self.database.writing() as session:
            erased = self.lock_erased(session, {one for values in kept for one in _users(values)})
            for values in kept:
                if not erased.isdisjoint(_users(values)):
                    continue
                # By attribute: a string here is a column's name, which differs for the response.
                update = {getattr(StoredResponse, name): value for name, value in values.items()}
                session.execute(
                    insert_into(session, StoredResponse)
                    .values(values)
                    .on_conflict_do_update(index_elements=["scope"], set_=update)
                )
