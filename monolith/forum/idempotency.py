"""The answers to idempotency keys, written in the write's own transaction."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, String, delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from chassis.clock import Clock
from chassis.idempotency.keys import RETENTION, DuplicateIdempotencyKey, IdempotencyKey
from forum.database import Base, Database, UtcDateTime, insert_into

PAGE = 500


class StoredResponse(Base):
    """The first answer to an idempotency key."""

    __tablename__ = "idempotency_answers"

    scope: Mapped[str] = mapped_column(String(400), primary_key=True)
    fingerprint: Mapped[str] = mapped_column(String(64))
    answer: Mapped[dict[str, Any]] = mapped_column(JSON)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


def find_response(
    session: Session, key: IdempotencyKey | None, now: datetime
) -> dict[str, Any] | None:
    """Look up the first answer to a key.

    Raises:
        KeyReused: the key was used for another request.
    """
    kept = session.get(StoredResponse, key.scope) if key else None
    if key is None or kept is None or kept.expires_at <= now:
        return None
    key.require_same_request(kept.fingerprint)
    return kept.answer


def store_response(
    session: Session, key: IdempotencyKey | None, answer: dict[str, Any], now: datetime
) -> None:
    """Claim a key for this transaction's answer.

    Raises:
        KeyTaken: another request with it came first.
    """
    if key is None:
        return
    session.execute(delete(StoredResponse).where(StoredResponse.expires_at <= now))
    session.add(
        StoredResponse(
            scope=key.scope,
            fingerprint=key.fingerprint,
            answer=answer,
            expires_at=now + RETENTION,
        )
    )
    try:
        session.flush()
    except IntegrityError as error:
        raise DuplicateIdempotencyKey from error


@dataclass(frozen=True)
class IdempotencyRecords:
    """The answers to idempotency keys on one path, for whoever moves its domain."""

    database: Database
    path: str
    clock: Clock

    def read_since(self, since: datetime | None) -> Iterator[list[dict[str, Any]]]:
        """Give the answers that were given since then and are not outdated, in pages."""
        first = max(self.clock(), since + RETENTION) if since else self.clock()
        after = ""
        while True:
            query = (
                select(StoredResponse)
                # A scope is the owner, the path and the key, none of which holds a space.
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
                    "answer": row.answer,
                    "expires": int(row.expires_at.timestamp()),
                }
                for row in rows
            ]
            if len(rows) < PAGE:
                return
            after = rows[-1].scope

    def write(self, records: Sequence[dict[str, Any]]) -> None:
        """Keep answers."""
        kept = [
            {
                "scope": record["scope"],
                "fingerprint": record["fingerprint"],
                "answer": record["answer"],
                "expires_at": datetime.fromtimestamp(record["expires"], UTC),
            }
            for record in records
            if record["kind"] == "answer"
        ]
        with self.database.writing() as session:
            for values in kept:
                session.execute(
                    insert_into(session, StoredResponse)
                    .values(values)
                    .on_conflict_do_update(index_elements=["scope"], set_=values)
                )
