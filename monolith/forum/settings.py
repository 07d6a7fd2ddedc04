"""The settings of the monolith."""

from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, field_validator, model_validator
from pydantic_settings import NoDecode

from chassis.auth.tokens import Issuer
from chassis.settings import BusSettings, HttpUrl, Settings
from forum.ownership.state import DOMAINS
from forum.users.port import Limits

Positive = Annotated[int, Field(ge=1)]


def _usable_key(value: SecretStr) -> SecretStr:
    if value.get_secret_value():
        try:
            Issuer(value.get_secret_value())
        except (ValueError, TypeError) as error:
            msg = "must be an RSA private key in PEM"
            raise ValueError(msg) from error
    return value


class ForumSettings(Settings, BusSettings):
    """What the monolith needs to know."""

    database_url: SecretStr = SecretStr("sqlite:///forum.db")
    """SQLAlchemy's URL of the database: SQLite or `postgresql+psycopg://…`."""

    extracted: Annotated[frozenset[str], NoDecode] = frozenset()
    """The domains that services of their own have taken over, separated by commas.

    Where a domain was moved since, the database knows better.
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
        unknown = names.difference(DOMAINS)
        if unknown:
            known = ", ".join(DOMAINS)
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
        """How many sign-ins are let through."""
        return Limits(
            per_name=self.sign_in_limit_per_name,
            per_address=self.sign_in_limit_per_address,
            window=timedelta(seconds=self.sign_in_window_seconds),
        )


def may_be_own(settings: ForumSettings, domain: str) -> bool:
    """Tell whether a domain is the forum's own, or may become so while it runs."""
    return settings.live_extraction or domain not in settings.extracted
