"""The settings of the users service."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, ClassVar

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import NoDecode

from chassis.auth.tokens import Issuer
from chassis.settings import ServiceSettings
from users.service import Limits

Positive = Annotated[int, Field(ge=1)]
Component = Annotated[str, Field(pattern=r"^[a-z][a-z-]{0,31}$")]


class UsersSettings(ServiceSettings):
    """What the users service needs to know."""

    RENAMED: ClassVar[Mapping[str, str]] = {"KEEPERS": "REPLICA_HOLDERS"}

    session_private_key: SecretStr
    """The RSA key in PEM that signs sessions."""

    replica_holders: Annotated[frozenset[Component], NoDecode] = frozenset(
        {"monolith", "threads", "posts"}
    )
    """The components that keep copies of people, separated by commas.

    An erasure is finished when each of them has confirmed that it forgot the person.
    """

    sign_in_limit_per_name: Positive = 10
    sign_in_limit_per_address: Positive = 100
    sign_in_window_seconds: Positive = 300

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
            Issuer(value.get_secret_value())
        except (ValueError, TypeError) as error:
            msg = "must be an RSA private key in PEM"
            raise ValueError(msg) from error
        return value

    @property
    def limits(self) -> Limits:
        """How many sign-ins are let through."""
        return Limits(
            per_name=self.sign_in_limit_per_name,
            per_address=self.sign_in_limit_per_address,
            window=timedelta(seconds=self.sign_in_window_seconds),
        )
