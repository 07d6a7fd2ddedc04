"""Validators of text fields: no control characters, and no invisible ones in single-line texts."""

import unicodedata

from pydantic import AfterValidator

# Characters that reorder or hide other text, or take space invisibly. The joiners (U+200C and
# U+200D) are not among them: scripts and emoji need them.
_INVISIBLE = frozenset("\u115f\u1160\u180e\u200b\u2028\u2029\u2060\u3164\ufeff\uffa0")
_INVISIBLE |= {chr(code) for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))}


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
    if any(character in _INVISIBLE for character in value):
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
