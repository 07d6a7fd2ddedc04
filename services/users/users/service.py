"""Use cases of users, on the ports; independent of Flask and boto3."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from chassis import codec
from chassis.auth.passwords import hash_password, verify_password
from chassis.auth.tokens import Identity, Issuer
from chassis.clock import Clock, NewId
from chassis.concurrency import Precondition, require_current, retry_on_conflict
from chassis.errors import (
    Conflict,
    FieldError,
    Forbidden,
    Invalid,
    NotFound,
    RateLimited,
    Unauthenticated,
    session_ended,
)
from chassis.idempotency.keys import IdempotencyKey
from chassis.pagination import Key, Page
from users.model import (
    MEMBER,
    MODERATOR,
    Erasure,
    SessionClaims,
    User,
    begin_erasure,
    confirm_erasure,
    end_sessions,
    is_profile_field,
    may_edit_profile,
    may_moderate,
    normalize_username,
    username_key,
)
from users.ports import Account, ConcurrentModification, Store, UsernameTaken

NO_SUCH_USER = "User not found."


class UnknownErasure(Exception):
    """A component confirmed an erasure that is not known."""


@dataclass(frozen=True)
class Registration:
    """The content of a registration."""

    username: str
    display_name: str  # empty: the username
    password: str = field(repr=False)


@dataclass(frozen=True)
class Limits:
    """Rate limits of sign-ins and registrations in a window of time."""

    per_name: int
    per_address: int
    window: timedelta


@dataclass(frozen=True)
class Session:
    """A session that was just opened."""

    user: User
    expires_at: datetime
    token: str = field(repr=False)


class Users:
    """The use cases of users."""

    def __init__(
        self,
        store: Store,
        issuer: Issuer,
        limits: Limits,
        clock: Clock,
        new_id: NewId,
        *,
        replica_holders: Callable[[], frozenset[str]],
    ) -> None:
        """Create the use cases; `replica_holders` returns the components with replicas of users."""
        self._store = store
        self._issuer = issuer
        self._limits = limits
        self._replica_holders = replica_holders
        self._clock = clock
        self._new_id = new_id

    def register(
        self, new: Registration, address: str, key: IdempotencyKey | None = None
    ) -> dict[str, Any]:
        """Open an account, and return its public view.

        Raises:
            Conflict: another account has the username.
            IdempotencyKeyReused: the idempotency key was used for another request.
            RateLimited: too many attempts from this address.
        """
        if response := self._store.find_response(key):
            return response
        self._count_attempts((f"register {address}", self._limits.per_address), action="register")
        username = normalize_username(new.username)
        # Asked before the password is hashed, which is expensive; the transaction decides.
        if self._store.find(username_key(username)):
            # The same request may have been faster.
            if response := self._store.find_response(key):
                return response
            raise _username_taken()
        user = User(
            id=self._new_id(),
            username=username,
            display_name=new.display_name or username,
            role=MEMBER,
            suspended=False,
            created_at=self._clock(),
            version=1,
        )
        account = Account(user, hash_password(new.password))
        try:
            self._store.add(account, username_key(username), key, public_view(user))
        except UsernameTaken as error:
            # The same request may have won the race for both the name and the key.
            if response := self._store.find_response(key):
                return response
            raise _username_taken() from error
        return public_view(user)

    def sign_in(self, username: str, password: str, address: str) -> Session:
        """Open a session for 12 hours.

        Raises:
            RateLimited: too many attempts from this address, in all or for this name.
            Unauthenticated: the name or the password is wrong; the message does not say which.
        """
        name = username_key(username)
        self._count_attempts(
            (address, self._limits.per_address),
            (f"{address} {name}", self._limits.per_name),
            action="sign in",
        )
        account = self._store.find(name)
        if not verify_password(account.password_hash if account else None, password) or not account:
            detail = "The username or password is incorrect."
            raise Unauthenticated(detail, kind="urn:problem:wrong-credentials")
        return self._open_session(account.user, self._new_id())

    def get(self, user_id: str) -> User:
        """Return a user.

        Raises:
            NotFound: there is no such user.
        """
        return self._account(user_id).user

    def get_many(self, user_ids: Sequence[str]) -> list[User]:
        """Return those of up to 100 users who exist, in the order of the ids."""
        found = self._store.get_many(user_ids)
        return [found[user_id] for user_id in dict.fromkeys(user_ids) if user_id in found]

    def newest(self, limit: int, after: Key | None) -> Page[User]:
        """List users, newest first."""
        return self._store.newest(limit, after)

    def me(self, identity: Identity[SessionClaims]) -> User:
        """Return the session's owner.

        Raises:
            Unauthenticated: the session has ended, or the account was erased.
        """
        return self._actor(identity).user

    def change(
        self,
        identity: Identity[SessionClaims],
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
            account = self._actor(identity)
            self._require_changeable(account.user, user_id, changes)
            self._confirm_password(account, password)

        def attempt() -> User:
            user = self._require_changeable(self._actor(identity).user, user_id, changes)
            require_current(user.version, expected)
            changed = replace(user, **changes, version=user.version + 1)
            self._store.replace(user, changed)
            return changed

        return retry_on_conflict(attempt, ConcurrentModification)

    def change_password(self, identity: Identity[SessionClaims], current: str, new: str) -> Session:
        """Replace one's password, end all sessions, and continue this one with a new token.

        Raises:
            Forbidden: the current password is wrong.
            RateLimited: too many attempts for this account.
        """
        self._confirm_password(self._actor(identity), current)
        password_hash = hash_password(new)

        def attempt() -> User:
            # If another change of the password was faster, this session has ended.
            user = self._actor(identity).user
            changed = end_sessions(user)
            self._store.replace(user, changed, password_hash)
            return changed

        user = retry_on_conflict(attempt, ConcurrentModification)
        return self._open_session(user, identity.session)

    def sign_out_everywhere(self, identity: Identity[SessionClaims]) -> None:
        """End all of one's sessions, this one too."""

        def attempt() -> None:
            user = self._actor(identity).user
            self._store.replace(user, end_sessions(user))

        retry_on_conflict(attempt, ConcurrentModification)

    def erase(
        self,
        identity: Identity[SessionClaims],
        user_id: str,
        password: str,
        expected: Precondition,
    ) -> None:
        """Erase one's own account and free its username.

        Raises:
            Forbidden, NotFound, PreconditionFailed, RateLimited: as their names say.
        """
        account = self._actor(identity)
        if account.user.id != user_id:
            self.get(user_id)
            detail = "Only the account owner may delete this account."
            raise Forbidden(detail)
        self._confirm_password(account, password)

        def attempt() -> None:
            actor = self._actor(identity).user
            require_current(actor.version, expected)
            erasure = begin_erasure(actor, self._replica_holders(), self._clock())
            self._store.erase(actor, username_key(actor.username), erasure)

        retry_on_conflict(attempt, ConcurrentModification)

    def erasure(self, user_id: str) -> Erasure:
        """Return the erasure of an account.

        Raises:
            NotFound: nobody with this id was erased.
        """
        erasure = self._store.erasure(user_id)
        if erasure is None:
            detail = "Erasure not found."
            raise NotFound(detail)
        return erasure

    def confirm_erasure(self, user_id: str, component: str) -> None:
        """Record that a component forgot an erased user; a repetition changes nothing.

        Raises:
            UnknownErasure: nobody with this id was erased.
        """

        def attempt() -> None:
            before = self._store.erasure(user_id)
            if before is None:
                raise UnknownErasure(user_id)
            after = confirm_erasure(before, component, self._clock())
            if after != before:
                self._store.update_erasure(before, after)

        retry_on_conflict(attempt, ConcurrentModification)

    def make_moderator(self, username: str) -> User:
        """Make the user with this username a moderator, on the operator's authority.

        Raises:
            NotFound: nobody has the username.
        """

        def attempt() -> User:
            account = self._store.find(username_key(username))
            if account is None:
                raise NotFound(NO_SUCH_USER)
            user = replace(account.user, role=MODERATOR, version=account.user.version + 1)
            self._store.replace(account.user, user)
            return user

        return retry_on_conflict(attempt, ConcurrentModification)

    def _open_session(self, user: User, session_id: str) -> Session:
        claims = SessionClaims(
            user.username,
            user.display_name,
            user.role,
            user.suspended,
            user.version,
            user.sessions_valid_from,
        )
        token, expires_at = self._issuer.issue(
            user.id, session_id, codec.to_json(claims), self._clock()
        )
        return Session(user, expires_at, token)

    def _require_changeable(self, actor: User, user_id: str, changes: dict[str, Any]) -> User:
        """Return the user to change.

        Raises:
            Forbidden: the actor may not make these changes.
            NotFound: there is no such user.
        """
        user = actor if user_id == actor.id else self.get(user_id)
        if actor.suspended:
            detail = "This account is suspended."
            raise Forbidden(detail, kind="urn:problem:suspended")
        own = {name for name in changes if is_profile_field(name)}
        if own and not may_edit_profile(actor.id, user_id):
            detail = "Only the account owner may change this."
            raise Forbidden(detail)
        if changes.keys() - own and not may_moderate(actor):
            detail = "Only a moderator may change this."
            raise Forbidden(detail)
        return user

    def _confirm_password(self, account: Account, password: str) -> None:
        self._count_attempts(
            (f"password {account.user.id}", self._limits.per_name),
            action="enter the current password",
        )
        if not verify_password(account.password_hash, password):
            detail = "The current password is incorrect."
            raise Forbidden(detail, kind="urn:problem:wrong-password")

    def _count_attempts(self, *limits: tuple[str, int], action: str) -> None:
        now = self._clock()
        seconds = int(self._limits.window.total_seconds())
        window = int(now.timestamp()) // seconds
        over = datetime.fromtimestamp((window + 1) * seconds, tz=now.tzinfo)
        for counter, limit in limits:
            if self._store.count_attempt(f"{window} {counter}", over) > limit:
                wait = max(1, int((over - now).total_seconds()) + 1)
                raise RateLimited(f"Too many attempts to {action}.", retry_after=wait)

    def _account(self, user_id: str) -> Account:
        account = self._store.get(user_id)
        if account is None:
            raise NotFound(NO_SUCH_USER)
        return account

    def _actor(self, identity: Identity[SessionClaims]) -> Account:
        account = self._store.get(identity.subject)
        if account is None:
            detail = "This account no longer exists."
            raise Unauthenticated(detail)
        if identity.claims.ver < account.user.sessions_valid_from:
            raise session_ended()
        return account


def _username_taken() -> Conflict:
    return Conflict("This username is already taken.", kind="urn:problem:username-taken")


def public_view(user: User) -> dict[str, Any]:
    """Return a user as JSON shows them, with the version."""
    view = codec.to_json(user)
    del view["suspended"], view["sessions_valid_from"]
    return view


def erasure_view(erasure: Erasure) -> dict[str, Any]:
    """Return an erasure as JSON shows it."""
    status = "erased" if erasure.finished_at else "erasing"
    return codec.to_json(erasure) | {"status": status}


def reject_ids_with_paging(paged: bool) -> None:
    """Refuse to page through a list of given ids.

    Raises:
        Invalid: paging was requested.
    """
    if paged:
        raise Invalid(FieldError("ids", "cannot be combined with limit or cursor"))
