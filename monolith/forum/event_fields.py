"""Types of fields in the data of events."""

from datetime import datetime
from typing import Annotated

from pydantic import BeforeValidator, Field

from chassis.clock import parse_timestamp


def _parse(value: object) -> datetime:
    # Strict: by default, pydantic would accept a number as a time.
    if not isinstance(value, str) or (moment := parse_timestamp(value)).tzinfo is None:
        message = "must be a time with its zone"
        raise ValueError(message)
    return moment


Timestamp = Annotated[datetime, BeforeValidator(_parse)]
EntityId = Annotated[str, Field(min_length=1, max_length=36)]
