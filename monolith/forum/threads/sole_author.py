"""The port of threads that checks whether an author is alone in a thread."""

from typing import Protocol

from sqlalchemy.orm import Session


class SoleAuthorCheck(Protocol):
    """Check whether other people than the author have posts in a thread.

    `prefetch` runs before a transaction, because no transaction may wait for another component;
    `others_wrote` runs within it, with the result of `prefetch`.
    """

    def prefetch(self, thread_id: str, author_id: str) -> bool | None:
        """Return the result if only another component can tell; None otherwise.

        Raises:
            Unavailable: the other component is unreachable.
        """

    def others_wrote(
        self, session: Session, thread_id: str, author_id: str, prefetched: bool | None
    ) -> bool:
        """Return whether other people than the author have posts in a thread."""
