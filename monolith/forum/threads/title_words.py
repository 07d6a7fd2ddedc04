"""Words of titles, as the search knows them."""

import re
import unicodedata
from hashlib import sha256

from chassis.errors import FieldError, Invalid

INDEXED_WORDS = 40
SEARCHED_WORDS = 8


def words(text: str) -> list[str]:
    """Return the distinct words of a text in their order, normalized for comparison.

    One character can expand to many (NFKC), so a very long word is replaced by its hash.
    """
    normal = unicodedata.normalize("NFKC", text).casefold()
    found = dict.fromkeys(re.findall(r"\w+", normal))
    return [word if len(word) <= 64 else f"#{sha256(word.encode()).hexdigest()}" for word in found]


def search_words(query: str) -> list[str]:
    """Return the words of a search.

    Raises:
        Invalid: there are more than 8.
    """
    found = words(query)
    if len(found) > SEARCHED_WORDS:
        raise Invalid(FieldError("q", f"must have at most {SEARCHED_WORDS} words"))
    return found
