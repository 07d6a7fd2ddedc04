"""Posts in SQL."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from forum.database import Base, Id, UtcDateTime
from forum.posts.port import Post
from forum.threads.models import ThreadRow
from forum.users.models import UserRow


class PostRow(Base):
    """A post; a deleted one stays without its words."""

    __tablename__ = "posts"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    thread_id: Mapped[str] = mapped_column(Id, ForeignKey("threads.id"))
    author_id: Mapped[str] = mapped_column(Id, ForeignKey("users.id"))
    body: Mapped[str] = mapped_column(Text)
    html: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    edited_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    deleted: Mapped[bool] = mapped_column(default=False)
    version: Mapped[int] = mapped_column(default=1)

    author: Mapped[UserRow] = relationship(lazy="joined", innerjoin=True)
    thread: Mapped[ThreadRow] = relationship(lazy="raise")

    __table_args__ = (Index(None, "thread_id", "id"), Index(None, "author_id", "id"))

    def to_post(self) -> Post:
        """Give the post as everybody may see it."""
        return Post(
            self.id,
            self.thread_id,
            self.author.to_author(),
            self.body,
            self.html,
            self.created_at,
            self.edited_at,
            self.deleted,
            self.version,
        )
