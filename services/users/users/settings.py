"""Settings of the users service."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, ClassVar

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import NoDecode

from chassis.auth.tokens import load_private_key
from chassis.settings import ServiceSettings
from users.service import Limits

Positive = Annotated[int, Field(ge=1)]
Component = Annotated[str, Field(pattern=r"^[a-z][a-z-]{0,31}$")]


class UsersSettings(ServiceSettings):
    """The settings, read from the environment."""

    RENAMED: ClassVar[Mapping[str, str]] = {"KEEPERS": "REPLICA_HOLDERS"}

    session_private_key: SecretStr
    """The RSA key in PEM that signs session tokens."""

    replica_holders: Annotated[frozenset[Component], NoDecode] = frozenset(
        {"monolith", "threads", "posts"}
    )
    """The components with replicas of users, separated by commas. An erasure is finished when each
    of them has confirmed it. After a move, the service's own record takes precedence."""

    sign_in_limit_per_name: Positive = 10
    """Attempts to sign in with one name within the window."""

    sign_in_limit_per_address: Positive = 100
    """Attempts to sign in, and likewise registrations, from one address within the window."""

    sign_in_window_seconds: Positive = 300
    """The length of the window."""

    @field_validator("replica_holders", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return frozenset(name.strip() for name in value.split(",") if name.strip())

    @field_validator("session_private_key")
    @classmethod
    def _is_a_key(cls, value: SecretStr) -> SecretStr:
        try:
            load_private_key(value.get_secret_value())
        except (ValueError, TypeError) as error:
            msg = "must be an RSA private key in PEM format"
            raise ValueError(msg) from error
        return value

    @property
    def limits(self) -> Limits:
        """The rate limits of sign-ins."""
        return Limits(
            per_name=self.sign_in_limit_per_name,
            per_address=self.sign_in_limit_per_address,
            window=timedelta(seconds=self.sign_in_window_seconds),
        )
