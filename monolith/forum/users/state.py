"""Users as data: the public view, and the state shared between components."""

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

from chassis import codec
from forum.event_fields import Timestamp


@dataclass(frozen=True, kw_only=True)
class Profile:
    """The fields of an account that its owner may change."""

    display_name: Annotated[str, Field(min_length=1, max_length=50)]
    bio: Annotated[str, Field(max_length=500)]


@dataclass(frozen=True, kw_only=True)
class PublicUser(Profile):
    """The public fields of a user."""

    username: Annotated[str, Field(min_length=1, max_length=40)]
    role: Annotated[str, Field(min_length=1, max_length=16)]
    created_at: Timestamp


@dataclass(frozen=True, kw_only=True)
class UserState(PublicUser):
    """The state of a user that components share in events and records."""

    suspended: bool
    sessions_valid_from: Annotated[int, Field(ge=0)] = 0
    """Version of the account; sessions that were opened at an earlier one have ended."""


@dataclass(frozen=True, kw_only=True)
class User(PublicUser):
    """The public view of a user."""

    id: str
    version: int

    def public_view(self) -> dict[str, Any]:
        """Return the user as JSON shows them, with the version."""
        return codec.to_json(self)


@dataclass(frozen=True)
class Author:
    """The author of a thread or a post, with the display name."""

    id: str
    display_name: str


BLANK_PROFILE = dict.fromkeys(codec.field_names(Profile), "")
"""The profile of an unknown or erased account."""
