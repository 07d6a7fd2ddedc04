"""JSON schemas of the API of threads."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from chassis.http.requests import PageParameters, PatchBody, RequestBody
from chassis.http.responses import Timestamp
from chassis.http.text_fields import SINGLE_LINE

ID = r"[0-9A-Za-z-]{1,64}"

Title = Annotated[str, Field(max_length=120, pattern=r"\S"), SINGLE_LINE]

SEARCH = (
    "Up to 8 terms. A term of three or more letters finds the words of a title that begin with it,"
    " a shorter one only itself. In scripts without spaces between words, such as Chinese, Japanese"
    " and Thai, it is found anywhere. Case, width and accents are ignored."
)


class NewThread(RequestBody):
    """A thread to start."""

    title: Title


class ThreadChange(PatchBody):
    """Changes of a thread; at least one field."""

    title: Title = Field(default_factory=str)
    locked: bool = Field(default_factory=bool)


class ThreadPath(BaseModel):
    """The id of a thread."""

    thread_id: Annotated[str, Field(pattern=f"^{ID}$")]


class ThreadsQuery(PageParameters):
    """A page of threads, or of those whose titles have all the terms of `q`, newest first."""

    sort: Literal["activity", "newest"] = Field(default_factory=lambda: "activity")
    q: Annotated[str, Field(max_length=120, description=SEARCH)] = Field(default_factory=str)


class AuthorOut(BaseModel):
    """The author of a thread."""

    id: str
    display_name: str


class ThreadOut(BaseModel):
    """A thread; `post_count` counts its posts that are not deleted."""

    id: str
    title: str
    author: AuthorOut
    created_at: Timestamp
    last_activity_at: Timestamp
    post_count: int
    locked: bool


class ThreadsOut(BaseModel):
    """A page of threads; `next` is the cursor of the next page."""

    items: list[ThreadOut]
    next: str | None
