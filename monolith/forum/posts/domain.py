"""The definition of the domain of posts, used by the rest of the forum."""

from forum.domain import Domain
from forum.posts import events
from forum.posts.records import PostRecords

DOMAIN = Domain(
    name="posts",
    label="posts",
    event_types=events.ALL,
    record_store=PostRecords.for_move,
)
