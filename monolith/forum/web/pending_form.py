"""What a person typed into a form that could not be taken, so that it is never lost."""

from collections.abc import Mapping
from dataclasses import dataclass

from flask import request

from forum.web.csrf import ANONYMOUS_FORMS, is_cross_site, local_path

# What a person typed themselves; anything else in a form is ours, or secret.
TYPED = {"title": "Title", "body": "Text", "bio": "About you", "display_name": "Display name"}
_CARRIED = ("idempotency_key", "etag", "thread_id", "action")
PATH = "resume"
"""The field in which a form names the path that the kept one goes to."""


@dataclass(frozen=True)
class PendingForm:
    """A form that can be sent again: its path, what was typed, and what it carried unseen."""

    path: str
    typed: Mapping[str, str]
    carried: Mapping[str, str]

    @property
    def fields(self) -> dict[str, str]:
        """Everything that another form has to carry, for this one to be sent later."""
        return {PATH: self.path, **self.carried, **self.typed}

    def label(self, name: str) -> str:
        """Say what a person calls a field."""
        return TYPED[name]


def from_values(path: str, values: Mapping[str, str]) -> PendingForm | None:
    """Keep what was typed into the form of a path; None if nothing was."""
    plain = {name: value.replace("\r\n", "\n") for name, value in values.items()}
    typed = {name: plain[name] for name in TYPED if plain.get(name)}
    if not typed or local_path(path) != path:
        return None
    return PendingForm(path, typed, {name: plain[name] for name in _CARRIED if plain.get(name)})


def from_request() -> PendingForm | None:
    """Keep what this request brought, and could not be taken.

    What another site put into a form is nobody's here, and must not be one click from being sent.
    """
    if request.method != "POST" or request.path in ANONYMOUS_FORMS or is_cross_site():
        return None
    return from_values(request.path, request.form)
