"""Who people are by now, as far as another component has told: a replica that events feed.

A session speaks for a person as of the moment it was opened. What is known here of a later version
counts instead: another name, another role, a suspension, an erasure.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Annotated

from pydantic import Field

from chassis.auth.tokens import Identity
from chassis.dynamodb.database import Action, Database, Item
from chassis.dynamodb.tables import Table
from chassis.errors import Forbidden, Unauthenticated
from chassis.messaging.events import Event, EventData

NEWER = "attribute_not_exists(id) OR version < :version"
NAME = ("id", "display_name")
"""What is read of a person who is only to be named."""


class UserData(EventData):
    """What is needed of an event about a person that still has an account."""

    display_name: Annotated[str, Field(min_length=1, max_length=50)]
    role: Annotated[str, Field(min_length=1, max_length=32)]
    suspended: bool


def user_replica_table(service: str) -> Table:
    """Define a service's replica of people: an item and a partition per person."""
    return Table(f"{service}-people", partition="id")


def account_erased() -> Unauthenticated:
    """Say that somebody's account is gone."""
    return Unauthenticated("This account does not exist any more.")


def account_suspended() -> Forbidden:
    """Say that somebody may not write."""
    return Forbidden("This account is suspended.", kind="urn:problem:suspended")


class UserReplica:
    """The replica in one of the service's own tables.

    Items are `id`, `version`, `display_name`, `role`, `suspended`, `erased` and, unless a session
    told of this version, `event_id`: that of the event that did.
    """

    def __init__(self, database: Database, name: str, former: str) -> None:
        """Take the name by which people are shown whose account was erased."""
        self._db = database
        self._table = name
        self._former = former

    def key(self, person_id: str) -> tuple[str, dict[str, str]]:
        """Name a person's item, for `Database.get_each`."""
        return self._table, {"id": person_id}

    def authorize(self, identity: Identity, known: Item | None) -> Identity:
        """Bring an identity up to what is known, and keep what only it knows.

        `known` is the person's item, as just read.

        Raises:
            Unauthenticated: the account was erased.
            Forbidden: it is suspended.
        """
        if known is None or known["version"] < identity.version:
            known = self._keep(_of_session(identity))
        if known["erased"]:
            raise account_erased()
        if known["suspended"]:
            raise account_suspended()
        return replace(
            identity,
            name=known["display_name"],
            role=known["role"],
            suspended=False,
            version=known["version"],
        )

    def display_names(self, person_ids: Iterable[str]) -> dict[str, str]:
        """Read the names of up to 100 people in one call; answers those that are known."""
        found = self._db.get_by_partition(self._table, "id", person_ids, only=NAME)
        return {person_id: item["display_name"] for person_id, item in found.items()}

    def store(self, event: Event, person: UserData) -> None:
        """Keep what an event tells of a person; nothing if a later one was here first."""
        self._keep(self._item(event, person.model_dump()))

    def tombstone(self, event: Event) -> Action:
        """Make the action that leaves of a person only that the account was erased.

        Its condition fails if that was done before, or the person is known to be newer.
        """
        gone = {
            "display_name": self._former,
            "role": "",
            "suspended": False,
            "erased": True,
        }
        return self._db.put(self._table, self._item(event, gone), NEWER, version=event.version)

    def write_records(self, records: Iterable[Item]) -> None:
        """Keep people, as whoever moves a domain knows them, unless a newer version is known.

        A record has `id`, `version`, `erased` and, unless that is true, what an event tells.
        """
        for record in records:
            gone = {"display_name": self._former, "role": "", "suspended": False}
            shown = gone if record["erased"] else {name: record[name] for name in gone}
            kept = {"id": record["id"], "version": record["version"], "erased": record["erased"]}
            self._keep(kept | shown)

    def _item(self, event: Event, state: Item) -> Item:
        return {
            "id": event.subject,
            "version": event.version,
            "event_id": event.id,
            "erased": False,
            **state,
        }

    def _keep(self, item: Item) -> Item:
        """Write an item unless a newer one is there, and answer the newest."""
        if self._db.put_item_if(self._table, item, NEWER, version=item["version"]):
            return item
        return self._db.get(*self.key(item["id"])) or item


def _of_session(identity: Identity) -> Item:
    return {
        "id": identity.subject,
        "version": identity.version,
        "display_name": identity.name,
        "role": identity.role,
        "suspended": identity.suspended,
        "erased": False,
    }
