"""Names and single-line texts: every script's letters, and nothing that hides."""

import unicodedata
from typing import Annotated

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from chassis.http.text_fields import SINGLE_LINE, comparison_form, is_identifier

LINE = TypeAdapter(Annotated[str, SINGLE_LINE])
# Of Unicode's DerivedCoreProperties, the characters that are no Cf; and the blank of Braille.
BLANKS = "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180f\u3164\ufe00\uffa0\U000e0100\u2800\u2028\u2029"
FORMATS = "\u00ad\u061c\u180e\u200b\u200e\u202e\u2060\u2066\u206a\ufeff\ufff9\U000e0041"


def is_line(text):
    try:
        LINE.validate_python(text)
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize(
    "text",
    [
        "Ada L.", "Zoë", "हिन्दी", "สมชายใจดี", "মুহাম্মদ", "Nguyễn Văn A", "字", "김철수", "עִבְרִית",
        "می‌خواهم", "ශ්‍රී ලංකා", "क्‍ष", "മോഹന്‍", "👩‍💻", "❤️", "🏳️‍🌈", "👍🏽", "🕵🏻‍♂️", "1️⃣ first", "🇩🇪",
    ],
)  # fmt: skip
def test_visible_text_is_accepted(text):
    assert is_line(text)


@pytest.mark.parametrize("character", [*BLANKS, *FORMATS])
def test_invisible_character_is_refused_anywhere(character):
    for text in (character, character * 3, f"mara{character}", f"former{character}member"):
        assert not is_line(text)
        assert not is_identifier(text)
    assert not is_line(f"हि{character}न्दी")


@pytest.mark.parametrize("joiner", ["\u200c", "\u200d"])
def test_joiner_is_refused_where_no_script_needs_it(joiner):
    for text in (
        f"ma{joiner}ra",
        f"हि{joiner}",
        f"{joiner}हि",
        f"हि{joiner}{joiner}न्दी",
        f"می{joiner}a",
    ):
        assert not is_line(text)
    assert not is_line("👩\u200c💻")
    assert not is_line("👩\u200d")
    assert not is_line("a\ufe0f")


@pytest.mark.parametrize("text", ["हिन्दी", "สมชายใจดี", "மீனா", "മോഹൻ", "মুহাম্মদ", "ɛ́kpɛ́", "x-y_z.1"])
def test_identifier_in_any_script_is_accepted(text):
    assert is_identifier(unicodedata.normalize("NFKC", text))


@pytest.mark.parametrize(
    "text",
    [
        "", "_a", ".a", "-a", "a b", "a/b", "👍", "\u093fहि", "á\u0301\u0301",
        "a\u0316\u0317\u0318\u0319\u031c", "ab\u200d", "क्\u200dष", "a\u20dd",
    ],
)  # fmt: skip
def test_other_text_is_no_identifier(text):
    assert not is_identifier(text)


@settings(max_examples=300)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
@example("\u200d")
def test_accepted_text_has_only_visible_characters_and_joiners(text):
    if not is_line(text):
        return
    for character in text:
        joiner = character in "\u200c\u200d\ufe0e\ufe0f"
        assert joiner or unicodedata.category(character) not in {"Cc", "Cf", "Zl", "Zp"}
        assert character not in BLANKS
    if text.isascii():
        assert text.isprintable()


@settings(max_examples=300)
@given(st.text(st.characters(categories=["L", "N", "M"]), min_size=1, max_size=20))
def test_identifier_stays_one_in_its_comparison_form(text):
    text = unicodedata.normalize("NFKC", text)
    if is_identifier(text):
        assert is_line(text)
        assert comparison_form(text).strip()


@settings(max_examples=300)
@given(
    st.text(st.characters(categories=["Ll"], max_codepoint=0x7F), min_size=1, max_size=9),
    st.text(st.sampled_from(" \u00a0\u2003\u3000\t"), min_size=1, max_size=4),
    st.booleans(),
)
def test_comparison_form_ignores_case_and_spaces(word, space, wide):
    shown = f"{space}{word.upper()}{space}{word}{space}"
    if wide:
        shown = "".join(chr(ord(c) + 0xFEE0) if c.isalpha() else c for c in shown)
    assert comparison_form(shown) == f"{word} {word}"
