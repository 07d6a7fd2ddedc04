"""Events: what one component tells the others, written as CloudEvents 1.0 in JSON.

An event carries the whole state that others may know of one thing (its subject) as of one version,
so that whoever takes events in another order, or twice, ends with the newest state.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Annotated, Any, TypeVar, cast

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from chassis.clock import format_timestamp

CONTENT_TYPE = "application/cloudevents+json"
MAX_BYTES = 250 * 1024
"""The longest event: SNS takes 256 KiB, with what goes along."""
# JSON allows these two, SQS doesn't; what else it refuses, JSON escapes by itself.
_ESCAPED = {0xFFFE: "\\ufffe", 0xFFFF: "\\uffff"}


class MalformedEvent(Exception):
    """An event breaks its schema; trying it again would not help. The message says why."""


@dataclass(frozen=True)
class Event:
    """Something that happened to one thing; `version` counts the changes of that thing.

    `id` is a UUIDv7; the same event keeps it however often it is delivered. `source` names the
    component, as a path: `/posts`.
    """

    id: str
    type: str  # thing and what happened: `post.created`
    source: str
    subject: str  # the id of the thing
    version: int
    time: datetime
    data: dict[str, Any]

    def to_json(self) -> str:
        """Write the event as a CloudEvent in structured mode.

        Raises:
            ValueError: it could never be published: it is too long, or holds what is no JSON.
        """
        # Not escaped to ASCII, which could triple a text and take it over a queue's limit.
        text = json.dumps(
            {
                "specversion": "1.0",
                "id": self.id,
                "source": self.source,
                "type": self.type,
                "subject": self.subject,
                "version": self.version,
                "time": format_timestamp(self.time),
                "datacontenttype": "application/json",
                "data": self.data,
            },
            ensure_ascii=False,
            allow_nan=False,
            separators=(",", ":"),
        ).translate(_ESCAPED)
        if len(text.encode()) > MAX_BYTES:
            message = f"an event of {self.type} is longer than {MAX_BYTES} bytes"
            raise ValueError(message)
        return text


EventHandler = Callable[[Event], None]
"""Applies an event; returns only when its effect is durable, and may be given an event again."""


class _Envelope(BaseModel):
    """What every event has; attributes that are not named here are ignored."""

    model_config = ConfigDict(extra="ignore", strict=True)

    specversion: Annotated[str, Field(pattern=r"^1\.")]
    id: Annotated[str, Field(min_length=1, max_length=64)]
    source: Annotated[str, Field(min_length=1, max_length=200)]
    type: Annotated[str, Field(min_length=1, max_length=100)]
    subject: Annotated[str, Field(min_length=1, max_length=64)]
    version: Annotated[int, Field(ge=1, le=2**53 - 1)]
    time: AwareDatetime
    data: dict[str, Any]


class EventData(BaseModel):
    """A consumer's own view of an event's data: what it needs; the rest is ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)


VIEW = TypeVar("VIEW")


def parse_event(text: str) -> Event:
    """Read an event.

    Raises:
        MalformedEvent: the text is not a CloudEvent as `Event.to_json` writes it.
    """
    return Event(**_validate(_Envelope, text).model_dump(exclude={"specversion"}))


def parse_data(view: type[VIEW], event: Event) -> VIEW:
    """Read an event's data as a consumer's view of it: a pydantic model or a dataclass.

    Raises:
        MalformedEvent: a field of the view is missing or has another type.
    """
    return _validate(view, json.dumps(event.data))


def _validate(view: type[VIEW], text: str) -> VIEW:
    try:
        valid: VIEW = _adapter(cast("Any", view)).validate_json(text, strict=True)
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_input=False)
        reasons = (": ".join(filter(None, (_path(entry["loc"]), entry["msg"]))) for entry in wrong)
        raise MalformedEvent("; ".join(reasons)) from error
    return valid


@cache
def _adapter(view: Any) -> TypeAdapter[Any]:
    return TypeAdapter(view)


def _path(place: tuple[int | str, ...]) -> str:
    return ".".join(map(str, place))
