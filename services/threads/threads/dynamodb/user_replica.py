"""Replica of users: their names, roles, suspensions and ended sessions, fed by events.

A session token describes its owner at the time of its issue. A later version in the replica takes
precedence: another name, another role, a suspension, an erasure, the end of the session.
"""

from collections.abc import Iterable, Sequence

from chassis.auth.tokens import Identity
from chassis.dynamodb.database import Action, Database, Item
from chassis.dynamodb.versioned_items import VersionedItems
from chassis.errors import Forbidden, Unauthenticated, session_ended
from chassis.messaging.events import Event, parse_data
from chassis.ownership.records import Record
from threads.dynamodb import tables
from threads.events import UserData
from threads.model import FORMER_MEMBER, Actor, SessionClaims

NAME = ("id", "display_name")
"""The attributes that are read to display a user's name."""
ERASED = {
    "display_name": FORMER_MEMBER,
    "role": "",
    "suspended": False,
    "sessions_valid_from": 0,
    "erased": True,
}


class UserReplica:
    """The replica in one of the service's own tables.

    Items are `id`, `version`, `erased` and the fields of `UserData`, with the `event_id` of the
    event with this version, unless it came from a session or a move.
    """

    def __init__(self, database: Database) -> None:
        self._db = database
        self._items = VersionedItems(database, tables.USERS.name, {"sessions_valid_from": 0})
        self.key = self._items.key
        self.read_page, self.read_copies = self._items.read_page, self._items.read_copies

    def authorize(self, identity: Identity[SessionClaims], known: Item | None) -> Actor:
        """Return the user of a session who may write; `known` is the item that was just read.

        Store the session's claims if they are newer than the replica.

        Raises:
            Unauthenticated: the session has ended, or the account was erased.
            Forbidden: the account is suspended.
        """
        if known is None or known["version"] < identity.claims.ver:
            known = self._items.store(_from_session(identity))
        if known["erased"]:
            detail = "This account no longer exists."
            raise Unauthenticated(detail)
        # Items of earlier revisions lack the version.
        if identity.claims.ver < known.get("sessions_valid_from", 0):
            raise session_ended()
        if known["suspended"]:
            detail = "This account is suspended."
            raise Forbidden(detail, kind="urn:problem:suspended")
        return Actor(identity.subject, known["display_name"], known["role"])

    def display_names(self, user_ids: Iterable[str]) -> dict[str, str]:
        """Return the names of up to 100 users, as far as they are known, in one call."""
        found = self._db.get_by_partition(self._items.table, "id", user_ids, only=NAME)
        return {user_id: item["display_name"] for user_id, item in found.items()}

    def apply(self, event: Event) -> None:
        """Store the state in an event, unless a newer one is known."""
        state = parse_data(UserData, event).model_dump()
        self._items.store(_of_event(event) | state | {"erased": False})

    def tombstone(self, event: Event) -> Action:
        """Build the action that replaces a user by a tombstone.

        Its condition fails if the tombstone exists already.
        """
        return self._items.put(_of_event(event) | ERASED)

    def require_present(self, user_id: str) -> Action:
        """Build the check that a user was not erased, as far as it is known here."""
        present = "attribute_not_exists(id) OR erased = :no"
        return self._db.condition_check(*self.key(user_id), present, no=False)

    def project(self, record: Record) -> Record:
        """Return the item of a user, from their owner's record."""
        state = ERASED if record["erased"] else {name: record[name] for name in ERASED}
        return {"id": record["id"], "version": record["version"]} | state

    def write_records(self, records: Sequence[Record]) -> None:
        """Store users from their owner's records, unless a newer version is known."""
        for record in records:
            self._items.store(self.project(record))


def _of_event(event: Event) -> Item:
    return {"id": event.subject, "version": event.version, "event_id": event.id}


def _from_session(identity: Identity[SessionClaims]) -> Item:
    claims = identity.claims
    return {
        "id": identity.subject,
        "version": claims.ver,
        "display_name": claims.name,
        "role": claims.role,
        "suspended": claims.suspended,
        "sessions_valid_from": claims.sessions_valid_from,
        "erased": False,
    }
