"""Events between components, as CloudEvents 1.0 in JSON.

An event carries the complete public state of one thing (its subject) as of one version. A consumer
that receives events twice or out of order therefore ends with the newest state.
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
"""Maximum size of an event: SNS allows 256 KiB, including attributes."""
# JSON allows these two, SQS doesn't; JSON escapes the other characters that SQS refuses.
_ESCAPED = {0xFFFE: "\\ufffe", 0xFFFF: "\\uffff"}


class MalformedEvent(Exception):
    """An event breaks its schema, so a retry would not help. The message gives the reason."""


@dataclass(frozen=True)
class Event:
    """A change of one thing; `version` counts the changes of that thing.

    `id` is a UUIDv7, the same at each delivery. `source` names the component as a path: `/posts`.
    """

    id: str
    type: str  # thing and change: `post.created`
    source: str
    subject: str  # the id of the thing
    version: int
    time: datetime
    data: dict[str, Any]

    def to_json(self) -> str:
        """Write the event as a CloudEvent in structured mode.

        Raises:
            ValueError: it can't be published: it is too long, or not valid as JSON.
        """
        # Not escaped to ASCII, which could triple the size of a text and exceed the queue's limit.
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
"""Apply an event; return only once its effect is durable. Events may be repeated."""


class _Envelope(BaseModel):
    """The attributes of every event; others are ignored."""

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
    """A consumer's view of an event's data: the fields it needs; others are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)


VIEW = TypeVar("VIEW")


def parse_event(text: str) -> Event:
    """Parse an event.

    Raises:
        MalformedEvent: the text is not a CloudEvent as `Event.to_json` writes it.
    """
    return Event(**_validate(_Envelope, text).model_dump(exclude={"specversion"}))


def parse_data(view: type[VIEW], event: Event) -> VIEW:
    """Parse an event's data as a consumer's view: a pydantic model or a dataclass.

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
