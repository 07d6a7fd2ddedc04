"""The rules about people."""

import unicodedata

MEMBER = "member"
MODERATOR = "moderator"
PROFILE = frozenset({"display_name", "bio"})
MAX_USERNAME_KEY = 120  # characters; that of a valid username has at most 90
FORMER_MEMBER = "former member"


def normalize_username(text: str) -> str:
    """Bring a username to the one form (NFKC) in which it is kept and shown."""
    return unicodedata.normalize("NFKC", text)


def username_key(username: str) -> str:
    """Give what two usernames share when people would take one for the other by case or form.

    Whoever signs in may send anything, and one character can stand for many, so it is cut.
    """
    return unicodedata.normalize("NFKC", normalize_username(username).casefold())[:MAX_USERNAME_KEY]
