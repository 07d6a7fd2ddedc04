"""The rules about users."""

import unicodedata

MEMBER = "member"
MODERATOR = "moderator"
MAX_USERNAME_KEY = 120  # characters; that of a valid username has at most 90
FORMER_MEMBER = "former member"


def normalize_username(text: str) -> str:
    """Return the normalized form (NFKC) in which a username is stored and shown."""
    return unicodedata.normalize("NFKC", text)


def username_key(username: str) -> str:
    """Return the key that two usernames share when they differ only in case or form.

    A sign-in may contain any text, and one character can expand to many, so the key is truncated.
    """
    return unicodedata.normalize("NFKC", normalize_username(username).casefold())[:MAX_USERNAME_KEY]


def newcomer(key: str) -> str:
    """Return the owner of the idempotency keys of those who register with a username's key.

    Nobody is signed in yet: two people who choose the same idempotency key must not collide.
    """
    return f"newcomer {key}"
