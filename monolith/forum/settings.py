"""Settings of the monolith."""

from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, field_validator, model_validator
from pydantic_settings import NoDecode

from chassis.auth.tokens import load_private_key
from chassis.settings import BusSettings, HttpUrl, Settings
from forum.domains import NAMES
from forum.users.port import Limits

Positive = Annotated[int, Field(ge=1)]


def _usable_key(value: SecretStr) -> SecretStr:
    if value.get_secret_value():
        try:
            load_private_key(value.get_secret_value())
        except (ValueError, TypeError) as error:
            msg = "must be an RSA private key in PEM"
            raise ValueError(msg) from error
    return value


class ForumSettings(Settings, BusSettings):
    """The settings, read from the environment."""

    database_url: SecretStr = SecretStr("sqlite:///forum.db")
    """SQLAlchemy's URL of the database: SQLite or `postgresql+psycopg://…`."""

    extracted: Annotated[frozenset[str], NoDecode] = frozenset()
    """The domains that services own, separated by commas.

    Where a domain has moved since, the database says who owns it.
    """

    live_extraction: bool = False
    """Whether domains may move to services and back while the forum runs."""

    session_private_key: Annotated[SecretStr, AfterValidator(_usable_key)] = SecretStr("")
    """The RSA key in PEM that signs sessions; needed unless users is extracted for good."""

    users_url: HttpUrl = "http://users.forum.local:8080"
    threads_url: HttpUrl = "http://threads.forum.local:8080"
    posts_url: HttpUrl = "http://posts.forum.local:8080"
    """Where the services are; used for those domains that are extracted."""

    split_badge: Literal["on", "off"] = "off"
    """Whether pages show by which component each part of them was answered."""

    sign_in_limit_per_name: Positive = 10
    sign_in_limit_per_address: Positive = 100
    sign_in_window_seconds: Positive = 300

    @field_validator("extracted", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        names = frozenset(name.strip() for name in value.split(",") if name.strip())
        unknown = names.difference(NAMES)
        if unknown:
            known = ", ".join(NAMES)
            msg = f"knows {known}; not {', '.join(sorted(unknown))}"
            raise ValueError(msg)
        return names

    @model_validator(mode="after")
    def _key_for_own_users(self) -> Self:
        if (
            self.live_extraction or "users" not in self.extracted
        ) and not self.session_private_key.get_secret_value():
            msg = "SESSION_PRIVATE_KEY is required while users is not extracted, or may come back"
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
        """Return whether the forum owns a domain, or may come to own it while it runs."""
        return self.live_extraction or domain not in self.extracted

    def service_url(self, domain: str) -> str:
        """Return the URL of a domain's service."""
        url: str = getattr(self, f"{domain}_url")
        return url
