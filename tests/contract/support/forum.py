"""A running stage for the suite."""

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
        """Wait until writes in these domains (by default in any) are visible in the others.

        If one component owns them all, they must be visible at once, so there is no wait.
        """
        if len({self.stack.config.owner(domain) for domain in domains or stages.DOMAINS}) > 1:
            self._settling.wait()

    def appoint(self, user_id: str) -> str:
        """Make a user a moderator, by the forum's first moderator; return the ETag."""
        response = requests.patch(
            f"{self.url}/api/users/{user_id}",
            json={"role": "moderator", "password": FOUNDER["password"]},
            headers={"Authorization": f"Bearer {self._founder}"},
            timeout=30,
        )
        response.raise_for_status()
        return response.headers["ETag"]

    @cached_property
    def issuer(self) -> Issuer:
        """The issuer of this stage's sessions."""
        return Issuer((self.stack.config.secrets_folder / "session_private_key").read_text("utf-8"))

    @cached_property
    def _founder(self) -> str:
        """Create the first moderator as described in the README; return the token."""
        users = f"{self.url}/api/users"
        requests.post(users, json=FOUNDER, timeout=30).raise_for_status()
        self.stack.moderator(FOUNDER["username"])
        session = requests.post(f"{users}/sessions", json=FOUNDER, timeout=30)
        session.raise_for_status()
        return str(session.json()["token"])
