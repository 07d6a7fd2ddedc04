"""What threads ask of posts before somebody deletes a thread."""

from typing import Protocol

from sqlalchemy import select
from sqlalchemy.orm import Session

from forum.posts.models import PostRow
from forum.posts.remote import RemotePosts


class SoleAuthorCheck(Protocol):
    """Tells whether an author is alone in a thread.

    `look` is asked before a transaction, since no transaction may wait for another component;
    `others_wrote` within it, with what `look` learned.
    """

    def prefetch(self, thread_id: str, author_id: str) -> bool | None:
        """Learn what only another component knows: whether others wrote.

        Raises:
            Unavailable: the other component does not answer.
        """

    def others_wrote(
        self, session: Session, thread_id: str, author_id: str, learned: bool | None
    ) -> bool:
        """Tell whether others than the author have posts in a thread."""


class SqlSoleAuthorCheck:
    """Posts of the forum's own table."""

    def prefetch(self, thread_id: str, author_id: str) -> bool | None:  # noqa: ARG002
        """Leave it to the transaction."""
        return None

    def others_wrote(
        self,
        session: Session,
        thread_id: str,
        author_id: str,
        learned: bool | None,  # noqa: ARG002
    ) -> bool:
        """Look into the table."""
        query = select(PostRow.id).where(
            PostRow.thread_id == thread_id,
            PostRow.author_id != author_id,
            PostRow.deleted.is_(False),
        )
        return session.execute(query.limit(1)).first() is not None


class RemoteSoleAuthorCheck:
    """Posts of the posts service."""

    def __init__(self, posts: RemotePosts) -> None:
        self._posts = posts

    def prefetch(self, thread_id: str, author_id: str) -> bool | None:
        """Ask the posts service."""
        return self._posts.others_wrote(thread_id, author_id)

    def others_wrote(
        self,
        session: Session,  # noqa: ARG002
        thread_id: str,  # noqa: ARG002
        author_id: str,  # noqa: ARG002
        learned: bool | None,
    ) -> bool:
        """Take what the service has just told."""
        return bool(learned)
