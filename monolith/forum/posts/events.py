"""Events about posts."""

from typing import Any

from chassis import codec
from forum.posts.models import PostRow
from forum.posts.state import PostState

CREATED = "post.created"
UPDATED = "post.updated"
DELETED = "post.deleted"
ALL = (CREATED, UPDATED, DELETED)


def event_data(row: PostRow) -> dict[str, Any]:
    """Return the data of an event about a post; consumers render the Markdown themselves."""
    return codec.to_json(PostState(**codec.attributes(row, PostState)))
