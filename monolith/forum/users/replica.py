"""People, as events tell of them: those of the users service, or who forgot one of ours."""

from collections.abc import Mapping
from dataclasses import dataclass

from chassis.clock import Clock
from chassis.messaging.events import Event, EventHandler, parse_data
from forum.database import Database
from forum.outbox import Recorder
from forum.users import events
from forum.users.persistence import anonymise, upsert
from forum.users.store import SqlUsers


@dataclass(frozen=True)
class UserReplica:
    """Keeps people; what it is told may come in any order and any number of times."""

    database: Database
    recorder: Recorder
    clock: Clock

    def handlers(self) -> Mapping[str, EventHandler]:
        """Give what applies each type of event."""
        return {
            events.REGISTERED: self._put,
            events.UPDATED: self._put,
            events.SUSPENDED: self._put,
            events.ERASED: self._forget,
        }

    def _put(self, event: Event) -> None:
        person = parse_data(events.UserData, event)
        with self.database.writing() as session:
            upsert(session, event.subject, event.version, person.model_dump())

    def _forget(self, event: Event) -> None:
        """Forget a person and say so, both or neither, and only once."""
        with self.database.writing() as session:
            if anonymise(session, event.subject, event.version, self.clock()):
                self.recorder.record(session, events.FORGOTTEN, event.subject, event.version, {})


@dataclass(frozen=True)
class Erasures:
    """Takes the word of other components that they forgot one of the forum's own people."""

    users: SqlUsers

    def handlers(self) -> Mapping[str, EventHandler]:
        """Give what applies each type of event."""
        return {events.FORGOTTEN: self._confirm}

    def _confirm(self, event: Event) -> None:
        self.users.confirm_erasure(event.subject, event.source.removeprefix("/"))
