"""The rules about threads."""

import re
import unicodedata

from chassis.errors import FieldError, Invalid

INDEXED_WORDS = 40
SEARCHED_WORDS = 8


def words(text: str) -> list[str]:
    """Give the distinct words of a text, in order, as a search compares them."""
    normal = unicodedata.normalize("NFKC", text).casefold()
    return list(dict.fromkeys(re.findall(r"\w+", normal)))


def searched(query: str) -> list[str]:
    """Give the words of a search.

    Raises:
        Invalid: there are more than 8.
    """
    found = words(query)
    if len(found) > SEARCHED_WORDS:
        raise Invalid(FieldError("q", f"must have at most {SEARCHED_WORDS} words"))
    return found
