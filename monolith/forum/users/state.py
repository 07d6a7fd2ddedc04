"""Users as data: what everybody may see, and what components tell each other."""

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

from chassis import codec
from forum.event_fields import Timestamp


@dataclass(frozen=True, kw_only=True)
class Profile:
    """What a user may change of their own account."""

    display_name: Annotated[str, Field(min_length=1, max_length=50)]
    bio: Annotated[str, Field(max_length=500)]


@dataclass(frozen=True, kw_only=True)
class PublicUser(Profile):
    """What everybody may see of a user."""

    username: Annotated[str, Field(min_length=1, max_length=40)]
    role: Annotated[str, Field(min_length=1, max_length=16)]
    created_at: Timestamp


@dataclass(frozen=True, kw_only=True)
class UserState(PublicUser):
    """What components tell each other of a user, in events and records."""

    suspended: bool


@dataclass(frozen=True, kw_only=True)
class User(PublicUser):
    """A user as everybody may see them."""

    id: str
    version: int

    def public_view(self) -> dict[str, Any]:
        """Return the user as JSON shows them, with the version."""
        return codec.to_json(self)


@dataclass(frozen=True)
class Author:
    """The author of a thread or a post, by the name that is shown."""

    id: str
    display_name: str


BLANK_PROFILE = dict.fromkeys(codec.field_names(Profile), "")
"""The profile of an account of which nothing is known or left."""
