"""Records of users in the forum's own database, for a move to the users service or back."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from chassis import codec
from chassis.clock import Clock, format_timestamp, parse_timestamp, uuid7
from chassis.messaging.events import Event
from chassis.ownership.records import Record
from forum.database import Database, insert_into, update_version
from forum.idempotency import IdempotencyRecords
from forum.outbox import outbox_row
from forum.ownership.state import MONOLITH
from forum.users.events import FORGOTTEN, event_data
from forum.users.models import Credential, ErasureRow, UserRow
from forum.users.persistence import anonymise, lock_erased, upsert
from forum.users.rules import username_key
from forum.users.state import UserState


@dataclass(frozen=True)
class UserRecords:
    """Implementation of `forum.ownership.records.MonolithRecordStore`."""

    database: Database
    clock: Clock

    def read_page(self, after: str, limit: int) -> tuple[list[Record], str | None]:
        """Read a page of users by id, erased ones too."""
        query = _known().where(UserRow.id > after).order_by(UserRow.id).limit(limit)
        with self.database.reading() as session:
            records = [
                _record(user, password, asked) for user, password, asked in session.execute(query)
            ]
        return records, records[-1]["id"] if len(records) == limit else None

    def read_many(self, ids: Sequence[str]) -> dict[str, Record]:
        """Read some users by id; return those who exist or existed."""
        with self.database.reading() as session:
            found = session.execute(_known().where(UserRow.id.in_(ids)))
            return {user.id: _record(user, password, asked) for user, password, asked in found}

    def placeholder_ids(self) -> list[str]:
        """Return the ids of users who are only known from what they wrote."""
        with self.database.reading() as session:
            return list(session.scalars(select(UserRow.id).where(UserRow.version == 0)))

    def update_replica(self, records: Sequence[Record]) -> None:
        """Store the service's own users, limited to the fields in events."""
        for record in records:
            with self.database.writing() as session:
                if record["erased"]:
                    self._forget(session, record)
                else:
                    state = codec.from_json(UserState, record)
                    upsert(session, record["id"], record["version"], state)

    def totals(self) -> tuple[int, int]:
        """Return the number of users, and the sum of their versions."""
        query = select(func.count(), func.coalesce(func.sum(UserRow.version), 0))
        with self.database.reading() as session:
            count, versions = session.execute(query.where(UserRow.version > 0)).one()
        return int(count), int(versions)

    def write(self, records: Sequence[Record], *, force: bool = False) -> None:
        """Store users, each unless the stored version is newer."""
        # Erased users first: somebody else may have the name now.
        for record in sorted(records, key=lambda one: not one["erased"]):
            with self.database.writing() as session:
                if force:
                    self._make_older(session, record)
                self._put(session, record)

    def raise_version(self, record: Record, version: int) -> bool:
        """Raise the version of a user, unless they changed since they were read.

        The record may say which sessions have ended, since a restored one may not know.
        """
        changed = {"version": version}
        with self.database.writing() as session:
            if record["erased"]:
                mine = update(ErasureRow).where(ErasureRow.user_id == record["id"])
                session.execute(mine.values(version=version))
            else:
                changed["sessions_valid_from"] = record["sessions_valid_from"]
            return update_version(session, UserRow, record, changed)

    def read_auxiliary(self, since: datetime | None) -> Iterator[list[Record]]:
        """Read responses to idempotency keys, and erasures unfinished or finished since then."""
        yield from self._responses().read_since(since)
        recent = [ErasureRow.finished_at >= since] if since else []
        query = select(ErasureRow).where(or_(ErasureRow.finished_at.is_(None), *recent))
        with self.database.reading() as session:
            yield [
                {
                    "kind": "erasure",
                    "id": row.user_id,
                    "version": row.version,
                    "requested_at": format_timestamp(row.requested_at),
                    "finished_at": row.finished_at and format_timestamp(row.finished_at),
                    "waiting_for": sorted(row.waiting_for),
                }
                for row in session.scalars(query)
            ]

    def write_auxiliary(self, records: Sequence[Record]) -> None:
        """Store responses to idempotency keys, and the progress of erasures.

        The forum itself has already removed the users.
        """
        self._responses().write(records)
        with self.database.writing() as session:
            for record in (one for one in records if one["kind"] == "erasure"):
                left = sorted(set(record["waiting_for"]) - {MONOLITH})
                finished = parse_timestamp(record["finished_at"] or format_timestamp(self.clock()))
                session.execute(
                    update(ErasureRow)
                    .where(ErasureRow.user_id == record["id"])
                    .values(waiting_for=left, finished_at=None if left else finished)
                )

    def _responses(self) -> IdempotencyRecords:
        return IdempotencyRecords(self.database, "/api/users", self.clock, lock_erased)

    def _make_older(self, session: Session, record: Record) -> None:
        """Let a record replace the stored user, whatever the versions are."""
        mine = update(UserRow).where(UserRow.id == record["id"])
        if record["erased"]:
            # Nothing is left to replace in an erased user.
            erased = mine.where(UserRow.erased.is_(True))
            session.execute(erased.values(version=record["version"]))
            erasure = update(ErasureRow).where(ErasureRow.user_id == record["id"])
            session.execute(erasure.values(requested_at=parse_timestamp(record["requested_at"])))
        session.execute(mine.where(UserRow.erased.is_(False)).values(version=0))

    def _put(self, session: Session, record: Record) -> None:
        if record["erased"]:
            self._erase(session, record)
            return
        state = codec.from_json(UserState, record)
        upsert(session, record["id"], record["version"], state)
        mine = UserRow.id == record["id"]
        if session.scalar(select(UserRow.erased).where(mine)):
            # The event of the erasure was faster than this record, which was read before it.
            return
        key = username_key(record["username"])
        try:
            with session.begin_nested():
                session.execute(update(UserRow).where(mine).values(username_key=key))
        except IntegrityError:
            # An erased user had the name; their record will also be copied.
            others = update(UserRow).where(UserRow.username_key == key, UserRow.id != record["id"])
            session.execute(others.values(username_key=None))
            session.execute(update(UserRow).where(mine).values(username_key=key))
        kept = {"user_id": record["id"], "password_hash": record["password_hash"]}
        session.execute(
            insert_into(session, Credential)
            .values(kept)
            .on_conflict_do_update(index_elements=["user_id"], set_=kept)
        )

    def _erase(self, session: Session, record: Record) -> None:
        self._forget(session, record)
        requested = parse_timestamp(record["requested_at"])
        values: dict[str, Any] = {
            "user_id": record["id"],
            "version": record["version"],
            "requested_at": requested,
            "finished_at": requested,
            "waiting_for": [],
        }
        added = insert_into(session, ErasureRow).values(values)
        session.execute(added.on_conflict_do_nothing())

    def _forget(self, session: Session, record: Record) -> None:
        """Forget an erased user and confirm it: the event will find nothing left to forget."""
        user_id, version = record["id"], record["version"]
        if anonymise(session, user_id, version, parse_timestamp(record["requested_at"])):
            now = self.clock()
            session.add(
                outbox_row(Event(uuid7(), FORGOTTEN, f"/{MONOLITH}", user_id, version, now, {}))
            )


def _known() -> Select[UserRow, str, datetime]:
    """Select users with their password hash, and the start of their erasure."""
    return (
        select(UserRow, Credential.password_hash, ErasureRow.requested_at)
        .outerjoin(Credential, Credential.user_id == UserRow.id)
        .outerjoin(ErasureRow, ErasureRow.user_id == UserRow.id)
        # Placeholders, known by name at most, have version 0.
        .where(UserRow.version > 0)
    )


def _record(row: UserRow, password_hash: str | None, requested: datetime | None) -> Record:
    head = {"id": row.id, "version": row.version, "erased": row.erased}
    if row.erased:
        return head | {"requested_at": format_timestamp(requested or row.created_at)}
    return head | event_data(row) | {"password_hash": password_hash}
