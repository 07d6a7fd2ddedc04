"""A running stage, as the suite sees it."""

from functools import cached_property

import requests

from infra import stages
from tests.contract.lagging import LAGS
from tests.harness import Stack

FOUNDER = {"username": "founder", "password": "the password of the founder"}


class Forum:
    """A stage behind its gateway."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.extracted = stack.local.extracted
        self.url = stack.base_url

    @property
    def name(self) -> str:
        """The name of the stage: `monolith` or `users+threads`."""
        return stages.folder(self.extracted)

    def lags(self, name: str) -> bool:
        """Tell whether an effect of `lagging.LAGS` is behind at this stage."""
        return LAGS[name].active(self.extracted)

    def appoint(self, user_id: str) -> None:
        """Make somebody a moderator, as the forum's first moderator does it."""
        requests.patch(
            f"{self.url}/api/users/{user_id}",
            json={"role": "moderator"},
            headers={"Authorization": f"Bearer {self._founder}"},
            timeout=30,
        ).raise_for_status()

    @cached_property
    def _founder(self) -> str:
        """Make the first moderator, by hand as the README says; gives their token."""
        users = f"{self.url}/api/users"
        requests.post(users, json=FOUNDER, timeout=30).raise_for_status()
        self.stack.moderator(FOUNDER["username"])
        session = requests.post(f"{users}/sessions", json=FOUNDER, timeout=30)
        session.raise_for_status()
        return str(session.json()["token"])
