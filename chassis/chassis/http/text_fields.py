"""Validators of text fields: no control characters, and no invisible ones in single-line texts."""

import unicodedata
from collections.abc import Callable
from itertools import pairwise

from pydantic import AfterValidator
from pydantic_core import SchemaValidator, core_schema


def matcher(pattern: str) -> Callable[[str], bool]:
    """Return a test for a pattern of Unicode properties.

    The standard library does not know them, and pydantic's engine does.
    """
    return SchemaValidator(core_schema.str_schema(pattern=pattern)).isinstance_python


# Characters that take no space, hide or reorder others, or look like a space (U+2800).
_INVISIBLE = r"\p{Default_Ignorable_Code_Point}\p{Cf}\p{Zl}\p{Zp}\u2800"
_JOINERS = r"[\u200c\u200d]"
# The scripts in which a joiner changes how its neighbors look.
_SCRIPTS = (
    "Arabic", "Balinese", "Bengali", "Devanagari", "Gujarati", "Gurmukhi", "Javanese", "Kannada",
    "Khmer", "Malayalam", "Mongolian", "Myanmar", "Oriya", "Sinhala", "Syriac", "Tamil", "Telugu",
)  # fmt: skip
_JOINED = "".join(rf"\p{{scx={script}}}" for script in _SCRIPTS)
# Malayalam ends words with a joiner: virama, then U+200D.
_LETTER = rf"(?:\u0d4d\u200d|[[{_JOINED}]&&[\p{{L}}\p{{M}}]--[{_INVISIBLE}]])"
_EMOJI = r"\p{Extended_Pictographic}(?:[\ufe0e\ufe0f]|\p{Emoji_Modifier})?"
_is_visible = matcher(
    rf"^(?:[^{_INVISIBLE}]|{_LETTER}+(?:{_JOINERS}{_LETTER}+)*"
    rf"|{_EMOJI}(?:\u200d{_EMOJI})*|[0-9#*]\ufe0f\u20e3)*$"
)
_LETTERS = rf"[\p{{L}}\p{{N}}--[{_INVISIBLE}]]"
_MARKS = rf"[\p{{Mn}}\p{{Mc}}--[{_INVISIBLE}]]"
_is_name = matcher(rf"^{_LETTERS}(?:{_LETTERS}|{_MARKS}|[_.-])*$")
_has_many_marks = matcher(r"\p{Mn}{5}")


def is_identifier(text: str) -> bool:
    """Return whether a text is letters with their marks, digits, and `_`, `.` and `-` within.

    Nonspacing marks are limited as UTS #39 (5.4) recommends: not the same twice, at most four.
    """
    repeated = (
        first == second and unicodedata.category(first) == "Mn" for first, second in pairwise(text)
    )
    return _is_name(text) and not _has_many_marks(text) and not any(repeated)


def comparison_form(text: str) -> str:
    """Return the form that two texts share if they differ in case, width or spaces only."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _check_multi_line(value: str) -> str:
    plain = value.translate({ord(character): None for character in "\t\n\r"})
    if any(unicodedata.category(character) == "Cc" for character in plain):
        message = "must not contain control characters"
        raise ValueError(message)
    return value


def _check_single_line(value: str) -> str:
    if any(unicodedata.category(character) == "Cc" for character in value):
        message = "must not contain control characters"
        raise ValueError(message)
    if not _is_visible(value):
        message = "must not contain invisible characters"
        raise ValueError(message)
    if not any(unicodedata.category(character)[0] in "LNPS" for character in value):
        message = "must contain a visible character"
        raise ValueError(message)
    return value.strip()


MULTI_LINE = AfterValidator(_check_multi_line)
"""Text of several lines."""

SINGLE_LINE = AfterValidator(_check_single_line)
"""Visible text of one line, trimmed."""
