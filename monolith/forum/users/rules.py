"""The rules about people."""

import unicodedata

MEMBER = "member"
MODERATOR = "moderator"
PROFILE = frozenset({"display_name", "bio"})
FORMER_MEMBER = "former member"


def normal_username(text: str) -> str:
    """Bring a username to the one form (NFKC) in which it is kept and shown."""
    return unicodedata.normalize("NFKC", text)


def username_key(username: str) -> str:
    """Give what two usernames share when people would take one for the other by case or form."""
    return unicodedata.normalize("NFKC", normal_username(username).casefold())
