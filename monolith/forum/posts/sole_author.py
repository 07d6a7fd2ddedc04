"""Implementations of `forum.threads.sole_author`: own posts, or those of the posts service."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from forum.posts.extracted.remote import RemotePosts
from forum.posts.models import PostRow


class SqlSoleAuthorCheck:
    """Check against the forum's own table."""

    def prefetch(self, thread_id: str, author_id: str) -> bool | None:  # noqa: ARG002
        """Return None: the check runs within the transaction."""
        return None

    def others_wrote(
        self,
        session: Session,
        thread_id: str,
        author_id: str,
        prefetched: bool | None,  # noqa: ARG002
    ) -> bool:
        """Return whether there is such a post."""
        query = select(PostRow.id).where(
            PostRow.thread_id == thread_id,
            PostRow.author_id != author_id,
            PostRow.deleted.is_(False),
        )
        return session.execute(query.limit(1)).first() is not None


class RemoteSoleAuthorCheck:
    """Check at the posts service."""

    def __init__(self, posts: RemotePosts) -> None:
        self._posts = posts

    def prefetch(self, thread_id: str, author_id: str) -> bool | None:
        """Return the service's result."""
        return self._posts.others_wrote(thread_id, author_id)

    def others_wrote(
        self,
        session: Session,  # noqa: ARG002
        thread_id: str,  # noqa: ARG002
        author_id: str,  # noqa: ARG002
        prefetched: bool | None,
    ) -> bool:
        """Return the prefetched result."""
        return bool(prefetched)
