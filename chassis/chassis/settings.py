"""Settings: read once at the entry point, every problem reported together, no default secret.

A setting comes from the environment variable of its name in upper case, or from a file of its
name in lower case in the folder that `SECRETS_DIR` names (Docker's and Kubernetes' way).
"""

import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, ClassVar, TypeVar

import jwt
from pydantic import Field, SecretStr, ValidationError, create_model, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

SETTINGS = TypeVar("SETTINGS", bound="RenamedSettings")

HttpUrl = Annotated[str, Field(pattern=r"^https?://[^\s/?#]+$")]
"""Where another component is: scheme, host and port, without a path."""

EXIT_CONFIG = 78  # sysexits.h: EX_CONFIG


class RenamedSettings(BaseSettings):
    """Settings whose former names are refused, so that no deployment loses one silently."""

    RENAMED: ClassVar[Mapping[str, str]] = {}
    """Former names of environment variables, each with the name that replaced it."""


class Settings(RenamedSettings):
    """What every component needs to know."""

    model_config = SettingsConfigDict(case_sensitive=False, extra="ignore", frozen=True)

    revision: Annotated[str, Field(pattern=r"^[\w.+-]{1,64}$")] = "dev"
    """The revision that `X-Served-By` names."""

    secret_key: Annotated[SecretStr, Field(min_length=32)]
    """Signs cursors and fingerprints; the same in every component, so they outlive a split."""

    session_public_keys: str
    """The JSON Web Key Set that verifies sessions."""

    @field_validator("session_public_keys")
    @classmethod
    def _is_a_key_set(cls, value: str) -> str:
        try:
            jwt.PyJWKSet.from_json(value)
        except (ValueError, KeyError, TypeError, AttributeError, jwt.PyJWTError) as error:
            msg = "must be a JSON Web Key Set with at least one key"
            raise ValueError(msg) from error
        return value


class BusSettings(RenamedSettings):
    """Where a component publishes events and takes them from.

    All are empty where nothing is exchanged: at the stage where nothing is extracted.
    """

    RENAMED: ClassVar[Mapping[str, str]] = {
        "BEAT_FILE": "HEARTBEAT_FILE",
        "EVENTS_DEAD_LETTERS_URL": "EVENTS_DEAD_LETTER_QUEUE_URL",
        "MOVABLE": "LIVE_EXTRACTION",
    }

    model_config = SettingsConfigDict(case_sensitive=False, extra="ignore", frozen=True)

    events_topic_arn: str = ""
    """The SNS topic of all events. boto3 itself reads its `AWS_` variables."""

    events_queue_url: str = ""
    """The component's SQS queue."""

    events_dead_letter_queue_url: str = ""
    """The SQS queue of the component's dead letters."""

    events_wait_seconds: Annotated[int, Field(ge=0, le=20)] = 20
    """So long a worker waits for messages in one call; it takes as long to stop."""


BUS_SETTINGS = ("events_topic_arn", "events_queue_url", "events_dead_letter_queue_url")
"""What a worker can't do without."""


class ServiceSettings(Settings, BusSettings):
    """What a service with tables in DynamoDB needs beside that."""

    table_prefix: Annotated[str, Field(pattern=r"^[\w.-]{0,64}$")] = "forum-"
    """Put before each table's name. boto3 itself reads its `AWS_` variables."""

    live_extraction: bool = False
    """Whether the domain may move from and to the monolith while the service runs."""

    gateway_url: Annotated[str, Field(pattern=r"^(https?://[^\s/?#]+)?$")] = ""
    """Where every domain is answered, for what is on its way here when the domain has moved."""


def load_settings(kind: type[SETTINGS], *, needed: Iterable[str] = ()) -> SETTINGS:
    """Read the settings, or print everything that is wrong with them and exit with 78.

    `needed` are texts that may be empty elsewhere but not for who asks, such as `BUS`.
    """
    if needed:
        filled: dict[str, Any] = dict.fromkeys(needed, (Annotated[str, Field(min_length=1)], ...))
        kind = create_model(kind.__name__, __base__=kind, **filled)
    problems = list(_former_names(kind))
    # Passed at run time because pydantic-settings knows no stub for its own extra arguments.
    sources: dict[str, Any] = {"_secrets_dir": os.environ.get("SECRETS_DIR")}
    try:
        settings = kind(**sources)
    except ValidationError as error:
        for entry in error.errors(include_url=False, include_input=False):
            name = "_".join(str(part) for part in entry["loc"]).upper() or "settings"
            problems.append(f"{name}: {entry['msg']}")
    if problems:
        sys.stderr.write("The settings are not usable:\n")
        sys.stderr.writelines(f"  {problem}\n" for problem in problems)
        sys.exit(EXIT_CONFIG)
    return settings


def _former_names(kind: type[RenamedSettings]) -> Iterator[str]:
    """Report each environment variable that is set by a former name."""
    for base in kind.__mro__:
        for old, new in vars(base).get("RENAMED", {}).items():
            if old in os.environ:
                yield f"{old}: is now called {new}"
