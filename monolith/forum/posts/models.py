"""SQL model of posts."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from chassis import codec
from forum.database import Base, Id, UtcDateTime
from forum.posts.state import Post, PostContent
from forum.threads.models import ThreadRow
from forum.users.models import UserRow


class PostRow(Base):
    """A post; a deleted one remains without text."""

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
        """Return the public view of the post."""
        return Post(
            id=self.id,
            author=self.author.to_author(),
            html=self.html,
            version=self.version,
            **codec.attributes(self, PostContent),
        )
