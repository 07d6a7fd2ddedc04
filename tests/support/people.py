"""Fixtures: the keys of sessions, and people with sessions."""

import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from chassis import cookies
from chassis.auth.tokens import Issuer, key_set
from chassis.clock import utc_now, uuid7

SECRET_KEY = "a secret key of tests, 32 characters or more"
_SUFFIX = cookies.suffix(SECRET_KEY)
SESSION_COOKIE, THEME_COOKIE = f"forum_session_{_SUFFIX}", f"forum_theme_{_SUFFIX}"

_numbers = itertools.count(1)


class Keys(NamedTuple):
    """The key that signs sessions, and those that verify them."""

    private: str
    public: str


@dataclass(frozen=True)
class Person:
    """A person with a session; `headers` contain it."""

    id: str
    username: str
    name: str
    token: str

    @property
    def headers(self) -> dict[str, str]:
        """Return the headers of this person's requests."""
        return {"Authorization": f"Bearer {self.token}"}


SignIn = Callable[..., Person]


@pytest.fixture(scope="session")
def session_keys() -> Keys:
    """Generate a key pair, once for all tests."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
    return Keys(pem, json.dumps(key_set(pem)))


@pytest.fixture(scope="session")
def sign_in(session_keys: Keys) -> SignIn:
    """Return a factory of people with sessions, like those of the users component."""
    issuer = Issuer(session_keys.private)

    def sign_in(
        name: str = "",
        *,
        role: str = "member",
        suspended: bool = False,
        person: Person | None = None,
        version: int = 1,
    ) -> Person:
        username = person.username if person else f"person-{next(_numbers)}"
        subject = person.id if person else uuid7()
        claims = {
            "username": username,
            "name": name or username,
            "role": role,
            "suspended": suspended,
            "ver": version,
        }
        token, _ = issuer.issue(subject, uuid7(), claims, utc_now())
        return Person(subject, username, name or username, token)

    return sign_in


@pytest.fixture
def ada(sign_in: SignIn) -> Person:
    return sign_in("Ada")


@pytest.fixture
def bob(sign_in: SignIn) -> Person:
    return sign_in("Bob")


@pytest.fixture
def moderator(sign_in: SignIn) -> Person:
    return sign_in("Mo", role="moderator")
