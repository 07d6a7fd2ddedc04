"""Pending forms: input of a form that could not be accepted, kept so that it is not lost."""

from collections.abc import Mapping
from dataclasses import dataclass

from flask import request

from chassis.auth.fetch_metadata import is_cross_site
from forum.web.csrf import ANONYMOUS_FORMS, local_path

# Fields typed by people; other fields are generated, or secret.
TYPED = {"title": "Title", "body": "Text", "bio": "About you", "display_name": "Display name"}
_CARRIED = ("idempotency_key", "etag", "thread_id", "action")
PATH = "resume"
"""The field of a form with the path of its pending form."""


@dataclass(frozen=True)
class PendingForm:
    """A form that can be sent again: its path, its input, and its hidden fields."""

    path: str
    typed: Mapping[str, str]
    carried: Mapping[str, str]

    @property
    def fields(self) -> dict[str, str]:
        """The hidden fields of another form from which this one can be sent later."""
        return {PATH: self.path, **self.carried, **self.typed}

    def label(self, name: str) -> str:
        """Return a field's label."""
        return TYPED[name]


def from_values(path: str, values: Mapping[str, str]) -> PendingForm | None:
    """Build a pending form from a path and its input; None without input."""
    plain = {name: value.replace("\r\n", "\n") for name, value in values.items()}
    typed = {name: plain[name] for name in TYPED if plain.get(name)}
    if not typed or local_path(path) != path:
        return None
    return PendingForm(path, typed, {name: plain[name] for name in _CARRIED if plain.get(name)})


def from_request() -> PendingForm | None:
    """Build a pending form from the current request.

    None for the form of another site, which must not be one click away from being sent.
    """
    if request.method != "POST" or request.path in ANONYMOUS_FORMS or is_cross_site():
        return None
    return from_values(request.path, request.form)
