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
