"""Users in the forum's own database."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session as SqlSession

from chassis import codec
from chassis.auth.passwords import hash_password, verify_password
from chassis.auth.tokens import Issuer
from chassis.clock import Clock, NewId
from chassis.concurrency import Precondition, require_current
from chassis.errors import (
    Conflict,
    Forbidden,
    NotFound,
    RateLimited,
    Unauthenticated,
    session_ended,
)
from chassis.idempotency.keys import (
    DuplicateIdempotencyKey,
    IdempotencyKey,
    require_stored_response,
)
from chassis.pagination import Cursors
from forum import idempotency
from forum.database import Database, insert_into
from forum.outbox import Recorder
from forum.pagination import Listing, paginate
from forum.users import events
from forum.users.models import Credential, ErasureRow, SignInAttempts, UserRow
from forum.users.persistence import confirm_erasure, forget_responses
from forum.users.port import Erasure, Identity, Limits, Registration, Session, SessionClaims
from forum.users.rules import FORMER_MEMBER, MODERATOR, normalize_username, username_key
from forum.users.state import BLANK_PROFILE, User

LIST_NAME = "users"


@dataclass(frozen=True)
class SqlUsers:
    """The use cases of users, on the forum's own database.

    `replica_holders` returns the other components with replicas of users.
    """

    database: Database
    issuer: Issuer
    limits: Limits
    cursors: Cursors
    clock: Clock
    new_id: NewId
    recorder: Recorder
    replica_holders: Callable[[], frozenset[str]]

    def register(
        self, new: Registration, address: str, key: IdempotencyKey | None = None
    ) -> dict[str, Any]:
        """Open an account, and return its public view.

        Raises:
            Conflict: another account has the username.
            IdempotencyKeyReused: the idempotency key was used for another request.
            RateLimited: too many attempts from this address.
        """
        now = self.clock()
        with self.database.reading() as session:
            if response := idempotency.find_response(session, key, now):
                return response
        self._count_attempts((f"register {address}", self.limits.per_address), action="register")
        username = normalize_username(new.username)
        # Asked before the password is hashed, which is expensive; the insertion decides.
        with self.database.reading() as session:
            taken = select(UserRow.id).where(UserRow.username_key == username_key(username))
            if session.scalar(taken):
                # The same request may have been faster.
                if response := idempotency.find_response(session, key, now):
                    return response
                raise _username_taken()
        password_hash = hash_password(new.password)
        profile = BLANK_PROFILE | {"display_name": new.display_name or username}
        row = UserRow(
            id=self.new_id(),
            username=username,
            username_key=username_key(username),
            **profile,
            role="member",
            suspended=False,
            erased=False,
            created_at=now,
            version=1,
        )
        view = row.to_user().public_view()
        try:
            with self.database.writing() as session:
                idempotency.store_response(session, key, view, now)
                session.add(row)
                session.flush()
                session.add(Credential(user_id=row.id, password_hash=password_hash))
                self._record(session, events.REGISTERED, row)
        except DuplicateIdempotencyKey:
            with self.database.reading() as session:
                return require_stored_response(idempotency.find_response(session, key, now))
        except IntegrityError as error:
            raise _username_taken() from error
        return view

    def sign_in(self, username: str, password: str, address: str) -> Session:
        """Open a session for 12 hours.

        Raises:
            RateLimited: too many attempts from this address, in all or for this name.
            Unauthenticated: the name or the password is wrong; the message does not say which.
        """
        name = username_key(username)
        self._count_attempts(
            (address, self.limits.per_address),
            (f"{address} {name}", self.limits.per_name),
            action="sign in",
        )
        with self.database.reading() as session:
            found = session.execute(
                select(UserRow, Credential.password_hash)
                .join(Credential, Credential.user_id == UserRow.id)
                .where(UserRow.username_key == name)
            ).one_or_none()
        if not verify_password(found[1] if found else None, password) or not found:
            detail = "The username or password is incorrect."
            raise Unauthenticated(detail, kind="urn:problem:wrong-credentials")
        return self._open_session(found[0], self.new_id())

    def get(self, user_id: str) -> User:
        """Return a user.

        Raises:
            NotFound: there is no such user.
        """
        with self.database.reading() as session:
            return _require_user(session, user_id).to_user()

    def get_many(self, user_ids: Sequence[str]) -> list[User]:
        """Return those users who exist, in the order of the ids."""
        query = select(UserRow).where(UserRow.id.in_(user_ids), UserRow.erased.is_(False))
        with self.database.reading() as session:
            found = {row.id: row.to_user() for row in session.scalars(query)}
        return [found[user_id] for user_id in dict.fromkeys(user_ids) if user_id in found]

    def newest(self, limit: int, cursor: str) -> Listing[User]:
        """List users, newest first."""
        query = select(UserRow).where(UserRow.erased.is_(False)).order_by(UserRow.id.desc())
        if after := self.cursors.decode(LIST_NAME, cursor):
            query = query.where(UserRow.id < after[0])
        with self.database.reading() as session:
            users = [row.to_user() for row in session.scalars(query.limit(limit + 1))]
        return paginate(users, limit, self.cursors, LIST_NAME, lambda user: (user.id,))

    def me(self, identity: Identity) -> User:
        """Return the session's owner.

        Raises:
            Unauthenticated: the session has ended, or the account was erased.
        """
        with self.database.reading() as session:
            return _require_actor(session, identity).to_user()

    def change(
        self,
        identity: Identity,
        user_id: str,
        changes: dict[str, Any],
        expected: Precondition,
        password: str = "",
    ) -> User:
        """Change a user: the profile by themselves, role and suspension by a moderator.

        A moderator confirms a change of a role with their own password.

        Raises:
            Forbidden, NotFound, PreconditionFailed, RateLimited: as their names say.
        """
        if "role" in changes:
            with self.database.reading() as session:
                actor = _require_actor(session, identity)
                _require_changeable(session, actor, user_id, changes)
            self._confirm_password(identity, password)
        with self.database.writing() as session:
            # A user who edits their own profile is locked first, so that a concurrent erasure
            # ends their session instead of hiding the account.
            actor = _require_actor(session, identity, locked=identity.subject == user_id)
            user = _require_changeable(session, actor, user_id, changes, locked=True)
            require_current(user.version, expected)
            suspended = user.suspended
            for name, value in changes.items():
                setattr(user, name, value)
            user.version += 1
            session.flush()
            same = user.suspended == suspended
            self._record(session, events.UPDATED if same else events.SUSPENDED, user)
            return user.to_user()

    def change_password(self, identity: Identity, current: str, new: str) -> Session:
        """Replace one's password, end all sessions, and continue this one with a new token.

        Raises:
            Forbidden: the current password is wrong.
            RateLimited: too many attempts for this account.
        """
        self._confirm_password(identity, current)
        password_hash = hash_password(new)
        with self.database.writing() as session:
            # If another change of the password was faster, this session has ended.
            actor = _require_actor(session, identity, locked=True)
            session.get_one(Credential, identity.subject).password_hash = password_hash
            self._end_sessions(session, actor)
            return self._open_session(actor, identity.session)

    def sign_out_everywhere(self, identity: Identity) -> None:
        """End all of one's sessions, this one too."""
        with self.database.writing() as session:
            self._end_sessions(session, _require_actor(session, identity, locked=True))

    def erase(
        self, identity: Identity, user_id: str, password: str, expected: Precondition
    ) -> None:
        """Erase one's own account, free its username and begin the erasure in other components.

        Raises:
            Forbidden, NotFound, PreconditionFailed, RateLimited: as their names say.
        """
        with self.database.reading() as session:
            if _require_actor(session, identity).id != user_id:
                _require_user(session, user_id)
                detail = "Only the account owner may delete this account."
                raise Forbidden(detail)
        self._confirm_password(identity, password)
        now, holders = self.clock(), self.replica_holders()
        with self.database.writing() as session:
            actor = _require_actor(session, identity, locked=True)
            require_current(actor.version, expected)
            actor.username = ""
            actor.username_key = None
            for name, value in (BLANK_PROFILE | {"display_name": FORMER_MEMBER}).items():
                setattr(actor, name, value)
            actor.erased = True
            actor.version += 1
            session.execute(delete(Credential).where(Credential.user_id == user_id))
            forget_responses(session, user_id)
            session.add(
                ErasureRow(
                    user_id=user_id,
                    version=actor.version,
                    requested_at=now,
                    finished_at=None if holders else now,
                    waiting_for=sorted(holders),
                )
            )
            self.recorder.record(session, events.ERASED, user_id, actor.version, {})

    def erasure(self, user_id: str) -> Erasure:
        """Return the erasure of an account.

        Raises:
            NotFound: nobody with this id was erased.
        """
        with self.database.reading() as session:
            row = session.get(ErasureRow, user_id)
            if row is None:
                detail = "Erasure not found."
                raise NotFound(detail)
            return row.to_erasure()

    def confirm_erasure(self, user_id: str, component: str) -> None:
        """Record that a component forgot an erased user; the last one finishes the erasure.

        A repeated or unexpected confirmation changes nothing.

        Raises:
            UnknownErasure: nobody with this id was erased.
        """
        with self.database.writing() as session:
            confirm_erasure(session, user_id, component, self.clock())

    def make_moderator(self, username: str) -> User:
        """Make the user with this username a moderator, on the operator's authority.

        Raises:
            NotFound: nobody has the username.
        """
        with self.database.writing() as session:
            query = select(UserRow).where(UserRow.username_key == username_key(username))
            user = session.scalars(query.with_for_update()).one_or_none()
            if user is None:
                raise _no_such_user()
            user.role = MODERATOR
            user.version += 1
            session.flush()
            self._record(session, events.UPDATED, user)
            return user.to_user()

    def _open_session(self, row: UserRow, session_id: str) -> Session:
        user = row.to_user()
        claims = SessionClaims(
            user.username,
            user.display_name,
            user.role,
            row.suspended,
            user.version,
            row.sessions_valid_from,
        )
        token, expires_at = self.issuer.issue(
            user.id, session_id, codec.to_json(claims), self.clock()
        )
        return Session(user, expires_at, token)

    def _end_sessions(self, session: SqlSession, user: UserRow) -> None:
        """Begin a new version of an account, at which all sessions so far have ended."""
        user.version += 1
        user.sessions_valid_from = user.version
        session.flush()
        self._record(session, events.UPDATED, user)

    def _confirm_password(self, identity: Identity, password: str) -> None:
        with self.database.reading() as session:
            _require_actor(session, identity)
            credential = session.get_one(Credential, identity.subject)
        self._count_attempts(
            (f"password {identity.subject}", self.limits.per_name),
            action="enter the current password",
        )
        if not verify_password(credential.password_hash, password):
            detail = "The current password is incorrect."
            raise Forbidden(detail, kind="urn:problem:wrong-password")

    def _record(self, session: SqlSession, kind: str, row: UserRow) -> None:
        self.recorder.record(session, kind, row.id, row.version, events.event_data(row))

    def _count_attempts(self, *limits: tuple[str, int], action: str) -> None:
        now = self.clock()
        seconds = int(self.limits.window.total_seconds())
        window = int(now.timestamp()) // seconds
        over = datetime.fromtimestamp((window + 1) * seconds, tz=now.tzinfo)
        with self.database.writing() as session:
            session.execute(delete(SignInAttempts).where(SignInAttempts.expires_at <= now))
            hits = [_count(session, f"{window} {counter}", over) for counter, _ in limits]
        if any(hit > limit for hit, (_, limit) in zip(hits, limits, strict=True)):
            wait = max(1, int((over - now).total_seconds()) + 1)
            raise RateLimited(f"Too many attempts to {action}.", retry_after=wait)


def _count(session: SqlSession, counter: str, expires_at: datetime) -> int:
    values = {"counter": counter, "hits": 1, "expires_at": expires_at}
    statement = insert_into(session, SignInAttempts).values(values)
    counted = statement.on_conflict_do_update(
        index_elements=["counter"], set_={"hits": SignInAttempts.hits + 1}
    ).returning(SignInAttempts.hits)
    hits: int = session.execute(counted).scalar_one()
    return hits


def _require_user(session: SqlSession, user_id: str, *, locked: bool = False) -> UserRow:
    row = session.get(UserRow, user_id, with_for_update=locked or None, populate_existing=locked)
    if row is None or row.erased:
        raise _no_such_user()
    return row


def _require_actor(session: SqlSession, identity: Identity, *, locked: bool = False) -> UserRow:
    try:
        actor = _require_user(session, identity.subject, locked=locked)
    except NotFound as error:
        detail = "This account no longer exists."
        raise Unauthenticated(detail) from error
    if actor.has_ended(identity.claims):
        raise session_ended()
    return actor


def _require_changeable(
    session: SqlSession,
    actor: UserRow,
    user_id: str,
    changes: dict[str, Any],
    *,
    locked: bool = False,
) -> UserRow:
    """Return the user to change.

    Raises:
        Forbidden: the actor may not make these changes.
        NotFound: there is no such user.
    """
    user = _require_user(session, user_id, locked=locked)
    if actor.suspended:
        detail = "This account is suspended."
        raise Forbidden(detail, kind="urn:problem:suspended")
    if BLANK_PROFILE.keys() & changes.keys() and actor.id != user_id:
        detail = "Only the account owner may change this."
        raise Forbidden(detail)
    if changes.keys() - BLANK_PROFILE.keys() and actor.role != MODERATOR:
        detail = "Only a moderator may change this."
        raise Forbidden(detail)
    return user


def _no_such_user() -> NotFound:
    return NotFound("User not found.")


def _username_taken() -> Conflict:
    return Conflict("This username is already taken.", kind="urn:problem:username-taken")
