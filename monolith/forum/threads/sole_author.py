"""The port through which threads learn whether an author is alone in a thread."""

from typing import Protocol

from sqlalchemy.orm import Session


class SoleAuthorCheck(Protocol):
    """Checks whether others than the author have posts in a thread.

    `prefetch` runs before a transaction, because no transaction may wait for another component;
    `others_wrote` runs within it, with the result of `prefetch`.
    """

    def prefetch(self, thread_id: str, author_id: str) -> bool | None:
        """Return whether others wrote, if only another component knows; None otherwise.

        Raises:
            Unavailable: the other component is unreachable.
        """

    def others_wrote(
        self, session: Session, thread_id: str, author_id: str, prefetched: bool | None
    ) -> bool:
        """Return whether others than the author have posts in a thread."""
