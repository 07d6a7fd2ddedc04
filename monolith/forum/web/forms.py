"""Forms: input, validation errors, and redisplay."""

import re
from dataclasses import dataclass, field
from typing import Any, TypeVar

from flask import request
from pydantic import BaseModel, ValidationError

from chassis.errors import (
    Failure,
    IdempotencyKeyReused,
    Invalid,
    PreconditionFailed,
    RateLimited,
    Unauthenticated,
    Unavailable,
)
from chassis.http.problems import field_errors

MODEL = TypeVar("MODEL", bound=BaseModel)

# Messages of the API, rephrased for people; others are clear already.
_PLAINLY = (
    (re.compile(r"Field required|must not be empty"), "Fill in this field."),
    (
        re.compile(r"String should have at (least|most) (\d+) characters?"),
        r"Use at \1 \2 characters.",
    ),
    (
        re.compile(r"must be 3 to 30 letters, .*"),
        "Use 3 to 30 letters, digits, dots, dashes or underscores; start with a letter or digit.",
    ),
    (
        re.compile(r"is not a valid cursor for this list"),
        "This page link is not valid. Start from the first page.",
    ),
)


_NAMES = {"q": "The search"}


def humanize(message: str, field: str = "") -> str:
    """Return an error message about a field, rephrased for people."""
    for pattern, text in _PLAINLY:
        if found := pattern.fullmatch(message):
            return found.expand(text)
    return f"{_NAMES.get(field, 'This')} {message}."


@dataclass
class Form:
    """A form's values and errors by field ("" for errors of the whole form)."""

    values: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    status: int = 200

    @classmethod
    def from_request(cls) -> "Form":
        """Read the submitted form, with normalized line breaks."""
        values = {name: value.replace("\r\n", "\n") for name, value in request.form.items()}
        values.pop("csrf_token", None)
        return cls(values)

    def parse(self, model: type[MODEL], **content: Any) -> MODEL | None:
        """Validate `content` as the API does; on errors, record them and return None."""
        try:
            return model.model_validate(content)
        except ValidationError as error:
            for wrong in field_errors(error):
                self.errors.setdefault(wrong.field, humanize(wrong.message))
            self.status = 400
            return None

    def add_conflict(self, failure: PreconditionFailed, version: int) -> None:
        """Record that somebody else was faster; sent again, the form replaces `version`."""
        self.add_failure(failure)
        self.errors[""] = (
            "This has changed since you opened the form. Nothing is saved yet: compare both"
            " versions, and change yours if needed. Saving replaces the current version."
        )
        self.values["etag"] = str(version)

    def add_failure(self, failure: Failure, fields: frozenset[str] = frozenset()) -> None:
        """Record a use case's failure; errors of fields not in `fields` apply to the whole form.

        Raises:
            Unauthenticated: the session has ended, which can't be fixed in the form.
        """
        if isinstance(failure, Unauthenticated) and failure.problem_type == "about:blank":
            raise failure
        self.status = failure.status
        if isinstance(failure, Invalid) and failure.errors:
            for wrong in failure.errors:
                shown = wrong.field if wrong.field in fields else ""
                self.errors.setdefault(shown, humanize(wrong.message))
        elif isinstance(failure, IdempotencyKeyReused):
            # The user went back to a submitted form and changed the text.
            self.values.pop("idempotency_key", None)
            self.errors[""] = (
                "A different text was already sent from this form. Send again to add this one."
            )
        elif isinstance(failure, RateLimited):
            self.errors[""] = f"{failure.detail} {retry_message(failure.retry_after)}"
        elif isinstance(failure, Unavailable):
            unsaved = "Your text was not saved; try" if "body" in self.values else "Try"
            self.errors[""] = f"{failure.detail} {unsaved} again in a moment."
        else:
            self.errors[""] = failure.detail


def retry_message(seconds: int) -> str:
    """Return a text with the time to retry after."""
    minutes = -(-seconds // 60)
    if seconds < 60:
        return f"Try again in {seconds} second{'s' * (seconds != 1)}."
    return f"Try again in {minutes} minute{'s' * (minutes != 1)}."


def parse_version(text: str) -> frozenset[int] | None:
    """Parse the version of an edit form's hidden field; None if it is missing."""
    if not text:
        return None
    return frozenset({int(text)} if text.isdigit() and len(text) < 18 else ())
