"""Settings: read once at the entry point, all problems reported together, no default secret.

A setting comes from the environment variable of its name in upper case, or from a file of its
name in lower case in the folder that `SECRETS_DIR` names (as in Docker and Kubernetes). The
docstrings of the fields are the descriptions in docs/settings.md.
"""

import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypeVar

import jwt
from pydantic import Field, SecretStr, ValidationError, create_model, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

SETTINGS = TypeVar("SETTINGS", bound="RenamedSettings")

HttpUrl = Annotated[str, Field(pattern=r"^https?://[^\s/?#]+$")]
"""The address of another component: scheme, host and port, without a path."""

EXIT_CONFIG = 78  # sysexits.h: EX_CONFIG


class RenamedSettings(BaseSettings):
    """Settings that refuse their former names, so that no deployment loses one silently."""

    model_config = SettingsConfigDict(
        case_sensitive=False, extra="ignore", frozen=True, use_attribute_docstrings=True
    )

    RENAMED: ClassVar[Mapping[str, str]] = {}
    """Former names of environment variables, each with the name that replaced it."""


class Settings(RenamedSettings):
    """The settings of every component."""

    revision: Annotated[str, Field(pattern=r"^[\w.+-]{1,64}$")] = "dev"
    """The revision that responses name in `X-Served-By`; images set it."""

    log_format: Literal["json", "text"] = "json"
    """The format of log lines: `json`, or `text` for people. Compose uses text."""

    secret_key: Annotated[SecretStr, Field(min_length=32)]
    """Signs cursors and the fingerprints of requests. The same in all components, so that cursors
    stay valid when a domain moves."""

    session_public_keys: str
    """The JSON Web Key Set that verifies session tokens."""

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
    """A component's topic and queues; empty while nothing is extracted."""

    RENAMED: ClassVar[Mapping[str, str]] = {
        "BEAT_FILE": "HEARTBEAT_FILE",
        "EVENTS_DEAD_LETTERS_URL": "EVENTS_DEAD_LETTER_QUEUE_URL",
        "MOVABLE": "LIVE_EXTRACTION",
    }

    events_topic_arn: str = ""
    """The SNS topic of all events."""

    events_queue_url: str = ""
    """The component's SQS queue."""

    events_dead_letter_queue_url: str = ""
    """The SQS queue of the component's dead letters."""

    events_wait_seconds: Annotated[int, Field(ge=0, le=20)] = 20
    """Seconds that a worker waits for messages in one call; stopping it takes as long."""


BUS_SETTINGS = ("events_topic_arn", "events_queue_url", "events_dead_letter_queue_url")
"""The settings that a worker requires."""


class ServiceSettings(Settings, BusSettings):
    """The settings of a service with tables in DynamoDB."""

    table_prefix: Annotated[str, Field(pattern=r"^[\w.-]{0,64}$")] = "forum-"
    """The beginning of each table's name."""

    live_extraction: bool = False
    """Whether the domain may move between the monolith and the service while they run."""

    owned_elsewhere: bool = False
    """With `LIVE_EXTRACTION`: whether the monolith owns the domain until the first move."""

    gateway_url: Annotated[str, Field(pattern=r"^(https?://[^\s/?#]+)?$")] = ""
    """With `LIVE_EXTRACTION`: where requests are forwarded that arrive after the domain has moved.
    Without it, the response is a 503."""


def load_settings(kind: type[SETTINGS], *, needed: Iterable[str] = ()) -> SETTINGS:
    """Read the settings, or print all problems and exit with 78.

    `needed` are settings that may be empty elsewhere but not here, such as `BUS_SETTINGS`.
    """
    if needed:
        filled: dict[str, Any] = dict.fromkeys(needed, (Annotated[str, Field(min_length=1)], ...))
        kind = create_model(kind.__name__, __base__=kind, **filled)
    problems = list(_former_names(kind))
    # Passed at run time because pydantic-settings has no type stub for its extra arguments.
    sources: dict[str, Any] = {"_secrets_dir": os.environ.get("SECRETS_DIR")}
    try:
        settings = kind(**sources)
    except ValidationError as error:
        for entry in error.errors(include_url=False, include_input=False):
            name = "_".join(str(part) for part in entry["loc"]).upper() or "settings"
            problems.append(f"{name}: {entry['msg']}")
    if problems:
        sys.stderr.write("Invalid settings:\n")
        sys.stderr.writelines(f"  {problem}\n" for problem in problems)
        sys.exit(EXIT_CONFIG)
    return settings


def _former_names(kind: type[RenamedSettings]) -> Iterator[str]:
    """Yield a message for each setting with a former name, as a variable or as a file."""
    folder = os.environ.get("SECRETS_DIR")
    for base in kind.__mro__:
        for old, new in vars(base).get("RENAMED", {}).items():
            if old in os.environ or (folder and Path(folder, old.lower()).exists()):
                yield f"{old}: was renamed to {new}"
