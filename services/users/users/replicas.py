"""Applies what other components tell: that they forgot a person who was erased."""

from collections.abc import Mapping

from chassis.events import Event, Handler
from users.events import FORGOTTEN
from users.service import Users


class Replicas:
    """Applies events; each may come in any order and any number of times."""

    def __init__(self, users: Users) -> None:
        self._users = users

    def handlers(self) -> Mapping[str, Handler]:
        """Give what applies each type of event."""
        return {FORGOTTEN: self._forgotten}

    def _forgotten(self, event: Event) -> None:
        # An erasure and its event are one write, so a confirmation of an unknown one is a fault
        # that somebody must see: it fails until it is a dead letter.
        self._users.confirm(event.subject, event.source.removeprefix("/"))
