"""Settings of the monolith."""

from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, field_validator, model_validator
from pydantic_settings import NoDecode

from chassis.auth.tokens import load_private_key
from chassis.settings import BusSettings, HttpUrl, RenamedSettings, Settings
from forum.domains import NAMES
from forum.users.port import Limits

Positive = Annotated[int, Field(ge=1)]


def _usable_key(value: SecretStr) -> SecretStr:
    if value.get_secret_value():
        try:
            load_private_key(value.get_secret_value())
        except (ValueError, TypeError) as error:
            msg = "must be an RSA private key in PEM format"
            raise ValueError(msg) from error
    return value


class DatabaseSettings(RenamedSettings):
    """The settings of the database, all that a migration needs."""

    database_url: SecretStr = SecretStr("sqlite:///forum.db")
    """The URL of the database as SQLAlchemy takes it: SQLite or `postgresql+psycopg://…`."""


class MigrationSettings(DatabaseSettings):
    """The settings of `python -m forum migrate`, which needs no others."""

    application_role_password: SecretStr = SecretStr("")
    """On PostgreSQL: the password of the role `forum_app`, which `migrate` then creates. It
    reads and writes rows, for the URL of the application. Empty: no role is created."""


class ForumSettings(Settings, BusSettings, DatabaseSettings):
    """The settings, read from the environment."""

    extracted: Annotated[frozenset[str], NoDecode] = frozenset()
    """The domains that services own, separated by commas: any of `users`, `threads`, `posts`."""

    live_extraction: bool = False
    """Whether domains may move to services and back while the forum runs. Then the table `domains`
    takes precedence over `EXTRACTED`."""

    forwarded: Annotated[frozenset[str], NoDecode] = frozenset()
    """With `LIVE_EXTRACTION`: domains whose API requests are forwarded to their service whenever it
    is the owner, not only during a move. Other services find these domains at the monolith."""

    session_private_key: Annotated[SecretStr, AfterValidator(_usable_key)] = SecretStr("")
    """The RSA key in PEM that signs session tokens. Required while `users` is not extracted, or may
    come back."""

    users_url: HttpUrl = "http://users.forum.local:8080"
    """The users service."""

    threads_url: HttpUrl = "http://threads.forum.local:8080"
    """The threads service."""

    posts_url: HttpUrl = "http://posts.forum.local:8080"
    """The posts service."""

    split_badge: Literal["on", "off"] = "off"
    """Whether pages show which component answered each part of them. `make run` and Compose turn it
    on."""

    sign_in_limit_per_name: Positive = 10
    """Attempts to sign in with one name within the window."""

    sign_in_limit_per_address: Positive = 100
    """Attempts to sign in, and likewise registrations, from one address within the window."""

    sign_in_window_seconds: Positive = 300
    """The length of the window."""

    @field_validator("extracted", "forwarded", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        names = frozenset(name.strip() for name in value.split(",") if name.strip())
        unknown = names.difference(NAMES)
        if unknown:
            known = ", ".join(NAMES)
            msg = f"must be a list of {known}, not {', '.join(sorted(unknown))}"
            raise ValueError(msg)
        return names

    @model_validator(mode="after")
    def _key_for_own_users(self) -> Self:
        if (
            self.live_extraction or "users" not in self.extracted
        ) and not self.session_private_key.get_secret_value():
            msg = (
                "SESSION_PRIVATE_KEY is required unless users is extracted and LIVE_EXTRACTION"
                " is off"
            )
            raise ValueError(msg)
        return self

    @property
    def limits(self) -> Limits:
        """The rate limits of sign-ins."""
        return Limits(
            per_name=self.sign_in_limit_per_name,
            per_address=self.sign_in_limit_per_address,
            window=timedelta(seconds=self.sign_in_window_seconds),
        )

    def may_own(self, domain: str) -> bool:
        """Return whether the forum owns a domain, or may become its owner while running."""
        return self.live_extraction or domain not in self.extracted

    def service_url(self, domain: str) -> str:
        """Return the URL of a domain's service."""
        url: str = getattr(self, f"{domain}_url")
        return url
