"""The answers to idempotency keys, written in the write's own transaction."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, String, delete
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from chassis.idempotency import KEPT_FOR, IdempotencyKey, KeyTaken
from forum.database import Base, Moment


class Answer(Base):
    """The first answer to an idempotency key."""

    __tablename__ = "idempotency_answers"

    scope: Mapped[str] = mapped_column(String(400), primary_key=True)
    fingerprint: Mapped[str] = mapped_column(String(64))
    answer: Mapped[dict[str, Any]] = mapped_column(JSON)
    expires_at: Mapped[datetime] = mapped_column(Moment, index=True)


def find(session: Session, key: IdempotencyKey | None, now: datetime) -> dict[str, Any] | None:
    """Look up the first answer to a key.

    Raises:
        KeyReused: the key was used for another request.
    """
    kept = session.get(Answer, key.scope) if key else None
    if key is None or kept is None or kept.expires_at <= now:
        return None
    key.must_match(kept.fingerprint)
    return kept.answer


def keep(
    session: Session, key: IdempotencyKey | None, answer: dict[str, Any], now: datetime
) -> None:
    """Claim a key for this transaction's answer.

    Raises:
        KeyTaken: another request with it came first.
    """
    if key is None:
        return
    session.execute(delete(Answer).where(Answer.expires_at <= now))
    session.add(
        Answer(
            scope=key.scope,
            fingerprint=key.fingerprint,
            answer=answer,
            expires_at=now + KEPT_FOR,
        )
    )
    try:
        session.flush()
    except IntegrityError as error:
        raise KeyTaken from error
