"""SQL models of users."""

from datetime import datetime

from sqlalchemy import JSON, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from chassis import codec
from forum.database import Base, Id, UtcDateTime
from forum.users.port import Erasure, SessionClaims
from forum.users.state import Author, PublicUser, User


class UserRow(Base):
    """A user.

    An erased user's row remains for the posts that refer to it, without personal data. Once the
    domain is extracted, the rows are a replica, and the service guarantees unique usernames.
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
    sessions_valid_from: Mapped[int] = mapped_column(default=0, server_default="0")

    def to_user(self) -> User:
        """Return the public view of the user."""
        return User(id=self.id, version=self.version, **codec.attributes(self, PublicUser))

    def has_ended(self, claims: SessionClaims) -> bool:
        """Return whether a session of the user has ended."""
        return claims.ver < self.sessions_valid_from

    def to_author(self) -> Author:
        """Return the user as an author."""
        return Author(self.id, self.display_name)


class Credential(Base):
    """The hash of a user's password, separate from the public fields."""

    __tablename__ = "credentials"

    user_id: Mapped[str] = mapped_column(
        Id, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
    )
    password_hash: Mapped[str] = mapped_column(String(200))


class SignInAttempts(Base):
    """The number of attempts to sign in, by address and name, in a window of time."""

    __tablename__ = "sign_in_attempts"

    counter: Mapped[str] = mapped_column(String(300), primary_key=True)
    hits: Mapped[int]
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


class ErasureRow(Base):
    """The erasure of an account, and the components that have yet to confirm it."""

    __tablename__ = "erasures"

    user_id: Mapped[str] = mapped_column(Id, ForeignKey("users.id"), primary_key=True)
    version: Mapped[int]
    requested_at: Mapped[datetime] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    waiting_for: Mapped[list[str]] = mapped_column(JSON)

    def to_erasure(self) -> Erasure:
        """Return the public view of the erasure."""
        return Erasure(self.user_id, self.requested_at, self.finished_at)
