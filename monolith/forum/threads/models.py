"""SQL models of threads."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from chassis import codec
from forum.database import Base, Id, UtcDateTime
from forum.threads.state import Thread, ThreadContent
from forum.users.models import UserRow

# Compared byte by byte, so that a range holds all words with the same first characters.
_Word = String(65).with_variant(String(65, collation="C"), "postgresql")


class ThreadRow(Base):
    """A thread; a deleted one remains for the posts that refer to it."""

    __tablename__ = "threads"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    title: Mapped[str] = mapped_column(String(120))
    author_id: Mapped[str] = mapped_column(Id, ForeignKey("users.id"), index=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_activity_at: Mapped[datetime] = mapped_column(UtcDateTime)
    post_count: Mapped[int] = mapped_column(default=0)
    locked: Mapped[bool] = mapped_column(default=False)
    deleted: Mapped[bool] = mapped_column(default=False)
    version: Mapped[int] = mapped_column(default=1)

    author: Mapped[UserRow] = relationship(lazy="joined", innerjoin=True)

    __table_args__ = (Index(None, "last_activity_at", "id"),)

    def to_thread(self) -> Thread:
        """Return the public view of the thread."""
        return Thread(
            id=self.id,
            author=self.author.to_author(),
            last_activity_at=self.last_activity_at,
            post_count=self.post_count,
            version=self.version,
            **codec.attributes(self, ThreadContent),
        )


class ThreadWord(Base):
    """A thread's title from a place at which a word can begin, for the search."""

    __tablename__ = "thread_words"

    word: Mapped[str] = mapped_column(_Word, primary_key=True)
    thread_id: Mapped[str] = mapped_column(
        Id, ForeignKey("threads.id", ondelete="CASCADE"), primary_key=True, index=True
    )
