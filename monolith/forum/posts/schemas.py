"""JSON schemas of the API of posts."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from chassis.http.requests import PageParameters, PatchBody, RequestBody
from chassis.http.responses import Timestamp
from chassis.http.text_fields import MULTI_LINE

ID = r"[0-9A-Za-z-]{1,64}"

Id = Annotated[str, Field(pattern=f"^{ID}$")]
Body = Annotated[str, Field(max_length=16_000, pattern=r"\S"), MULTI_LINE]


class NewPost(RequestBody):
    """A post to write; `body` is Markdown."""

    thread_id: Id
    body: Body


class PostChange(PatchBody):
    """Changes of a post; at least one field."""

    body: Body = Field(default_factory=str)


class PostPath(BaseModel):
    """The id of a post."""

    post_id: Id


class ThreadPath(BaseModel):
    """The id of a thread."""

    thread_id: Id


class UserPath(BaseModel):
    """The id of a person."""

    user_id: Id


class PostsQuery(PageParameters):
    """A page of posts."""


class InThreadQuery(PageParameters):
    """A page of a thread, from its beginning or from its end."""

    order: Literal["asc", "desc"] = "asc"


class AuthorOut(BaseModel):
    """The author of a post."""

    id: str
    display_name: str


class PostOut(BaseModel):
    """A post; a deleted one remains as a placeholder without text."""

    id: str
    thread_id: str
    author: AuthorOut
    body: str
    html: str
    created_at: Timestamp
    edited_at: Timestamp | None
    deleted: bool


class PostsOut(BaseModel):
    """A page of posts; `next` is the cursor of the next page."""

    items: list[PostOut]
    next: str | None
