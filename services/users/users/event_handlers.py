"""Handlers of other components' events: they confirm that they forgot an erased user."""

from collections.abc import Mapping

from chassis.messaging.events import Event, EventHandler
from chassis.ownership.state import OwnershipStore, State, cutover_in_progress
from users.events import FORGOTTEN
from users.service import Users


class EventHandlers:
    """Handlers of events, which may arrive in any order and any number of times."""

    def __init__(self, users: Users, ownership: OwnershipStore | None = None) -> None:
        self._users = users
        self._ownership = ownership

    def handlers(self) -> Mapping[str, EventHandler]:
        """Return the handler of each event type."""
        return {FORGOTTEN: self._confirm_erasure}

    def _confirm_erasure(self, event: Event) -> None:
        # An erasure and its event are one write, so confirming an unknown erasure is an error: the
        # event fails until it becomes a dead letter.
        if self._ownership and self._ownership.current().state == State.CLOSED:
            # The erasure may not have moved here yet, or not in its current state.
            raise cutover_in_progress()
        self._users.confirm_erasure(event.subject, event.source.removeprefix("/"))
