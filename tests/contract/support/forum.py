"""A running stage, as the suite sees it."""

from collections.abc import Callable
from functools import cached_property

import requests

from chassis.auth.tokens import Issuer
from infra import stages
from tests.support.eventually import EventSettling
from tests.support.harness import Stack

Settle = Callable[..., None]
FOUNDER = {"username": "founder", "password": "the password of the founder"}


class Forum:
    """A stage behind its gateway."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.extracted = stack.config.extracted
        self.url = stack.base_url
        self._settling = EventSettling(stack)

    @property
    def name(self) -> str:
        """The name of the stage: `monolith` or `users+threads`."""
        return stages.stage_name(self.extracted)

    def settle(self, *domains: str) -> None:
        """Wait until what was written in one of these domains, or in any, shows in the others.

        Where one component owns them all it has to show at once, so nothing is waited for.
        """
        if len({self.stack.config.owner(domain) for domain in domains or stages.DOMAINS}) > 1:
            self._settling.wait()

    def appoint(self, user_id: str) -> str:
        """Make somebody a moderator, as the forum's first moderator does it; gives the ETag."""
        response = requests.patch(
            f"{self.url}/api/users/{user_id}",
            json={"role": "moderator"},
            headers={"Authorization": f"Bearer {self._founder}"},
            timeout=30,
        )
        response.raise_for_status()
        return response.headers["ETag"]

    @cached_property
    def issuer(self) -> Issuer:
        """What signs the sessions of this stage."""
        return Issuer((self.stack.config.secrets_folder / "session_private_key").read_text("utf-8"))

    @cached_property
    def _founder(self) -> str:
        """Make the first moderator, by hand as the README says; gives their token."""
        users = f"{self.url}/api/users"
        requests.post(users, json=FOUNDER, timeout=30).raise_for_status()
        self.stack.moderator(FOUNDER["username"])
        session = requests.post(f"{users}/sessions", json=FOUNDER, timeout=30)
        session.raise_for_status()
        return str(session.json()["token"])
