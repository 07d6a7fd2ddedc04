"""What the data of events have in common."""

from datetime import datetime
from typing import Annotated

from pydantic import AwareDatetime, BeforeValidator, Field

from chassis.clock import parse_timestamp


def _moment(value: object) -> datetime:
    # Strictly: pydantic's own reading would take a number for a time too.
    if not isinstance(value, str):
        message = "must be a time"
        raise ValueError(message)
    return parse_timestamp(value)


Timestamp = Annotated[AwareDatetime, BeforeValidator(_moment)]
EntityId = Annotated[str, Field(min_length=1, max_length=36)]
