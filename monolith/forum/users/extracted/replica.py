"""The replica of users, fed by events, and confirmations of erasures."""

from collections.abc import Mapping
from dataclasses import dataclass

from chassis.clock import Clock
from chassis.messaging.events import Event, EventHandler, parse_data
from forum.database import Database
from forum.outbox import Recorder
from forum.users import events
from forum.users.persistence import anonymise, upsert
from forum.users.state import UserState
from forum.users.store import SqlUsers


@dataclass(frozen=True)
class UserReplica:
    """Replica fed by events of the users service, in any order and any number of times."""

    database: Database
    recorder: Recorder
    clock: Clock

    def handlers(self) -> Mapping[str, EventHandler]:
        """Return the handler of each event type."""
        return {
            events.REGISTERED: self._store,
            events.UPDATED: self._store,
            events.SUSPENDED: self._store,
            events.ERASED: self._forget,
        }

    def _store(self, event: Event) -> None:
        state = parse_data(UserState, event)
        with self.database.writing() as session:
            upsert(session, event.subject, event.version, state)

    def _forget(self, event: Event) -> None:
        """Forget an erased user and confirm it, both or neither, and only once."""
        with self.database.writing() as session:
            if anonymise(session, event.subject, event.version, self.clock()):
                self.recorder.record(session, events.FORGOTTEN, event.subject, event.version, {})


@dataclass(frozen=True)
class ErasureConfirmations:
    """Handlers of the events that confirm the erasure of a user owned by the forum."""

    users: SqlUsers

    def handlers(self) -> Mapping[str, EventHandler]:
        """Return the handler of each event type."""
        return {events.FORGOTTEN: self._confirm}

    def _confirm(self, event: Event) -> None:
        self.users.confirm_erasure(event.subject, event.source.removeprefix("/"))
