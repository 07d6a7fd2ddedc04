"""People in SQL."""

from datetime import datetime

from sqlalchemy import JSON, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from forum.database import Base, Id, UtcDateTime
from forum.users.port import Author, Erasure, User


class UserRow(Base):
    """A person.

    An erased person's row stays for the posts that refer to it, without anything of theirs. Once
    users is extracted the rows are a replica of it, whose names others have made unique.
    """

    __tablename__ = "users"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    username: Mapped[str] = mapped_column(String(40))
    username_key: Mapped[str | None] = mapped_column(String(120), unique=True)
    display_name: Mapped[str] = mapped_column(String(50))
    bio: Mapped[str] = mapped_column(String(500), default="")
    role: Mapped[str] = mapped_column(String(16), default="member")
    suspended: Mapped[bool] = mapped_column(default=False)
    erased: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    version: Mapped[int] = mapped_column(default=1)

    def to_user(self) -> User:
        """Give the person as everybody may see them."""
        return User(
            self.id,
            self.username,
            self.display_name,
            self.bio,
            self.role,
            self.created_at,
            self.version,
        )

    def to_author(self) -> Author:
        """Give the person as the author of something."""
        return Author(self.id, self.display_name)


class Credential(Base):
    """A password's hash, apart from what others may read."""

    __tablename__ = "credentials"

    user_id: Mapped[str] = mapped_column(
        Id, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
    )
    password_hash: Mapped[str] = mapped_column(String(200))


class SignInAttempts(Base):
    """How often somebody tried to sign in, by address and name, in a window of time."""

    __tablename__ = "sign_in_attempts"

    counter: Mapped[str] = mapped_column(String(300), primary_key=True)
    hits: Mapped[int]
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


class ErasureRow(Base):
    """An account's erasure: which components have yet to say that they forgot the person."""

    __tablename__ = "erasures"

    user_id: Mapped[str] = mapped_column(Id, ForeignKey("users.id"), primary_key=True)
    version: Mapped[int]
    requested_at: Mapped[datetime] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    waiting_for: Mapped[list[str]] = mapped_column(JSON)

    def to_erasure(self) -> Erasure:
        """Give the erasure as everybody may see it."""
        return Erasure(self.user_id, self.requested_at, self.finished_at)
