"""Applies what other components tell: that they forgot a person who was erased."""

from collections.abc import Mapping

from chassis.messaging.events import Event, EventHandler
from chassis.ownership.state import CLOSED, OwnershipStore, cutover_in_progress
from users.events import FORGOTTEN
from users.service import Users


class EventHandlers:
    """Applies events; each may come in any order and any number of times."""

    def __init__(self, users: Users, standings: OwnershipStore | None = None) -> None:
        self._users = users
        self._standings = standings

    def handlers(self) -> Mapping[str, EventHandler]:
        """Give what applies each type of event."""
        return {FORGOTTEN: self._forgotten}

    def _forgotten(self, event: Event) -> None:
        # An erasure and its event are one write, so a confirmation of an unknown one is a fault
        # that somebody must see: it fails until it is a dead letter.
        if self._standings and self._standings.current().state == CLOSED:
            # Its erasure may not have moved here yet, or not as it is by now.
            raise cutover_in_progress()
        self._users.confirm_erasure(event.subject, event.source.removeprefix("/"))
