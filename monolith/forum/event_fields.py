"""What the data of events have in common."""

from datetime import datetime
from typing import Annotated

from pydantic import AwareDatetime, BeforeValidator, Field

from chassis.clock import moment


def _moment(value: object) -> datetime:
    # Strictly: pydantic's own reading would take a number for a time too.
    if not isinstance(value, str):
        message = "must be a time"
        raise ValueError(message)
    return moment(value)


When = Annotated[AwareDatetime, BeforeValidator(_moment)]
AnId = Annotated[str, Field(min_length=1, max_length=36)]
