"""The rules about threads, as tables."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from threads.model import (
    Thread,
    may_delete,
    may_lock,
    may_rename,
    must_be_sole_author,
    title_words,
    words,
)

NOW = datetime(2026, 1, 31, tzinfo=UTC)
THREAD = Thread(
    id="t",
    title="Title",
    author_id="ada",
    author_name="Ada",
    created_at=NOW,
    last_activity_at=NOW,
    post_count=0,
    locked=False,
    version=1,
)


@pytest.mark.parametrize(
    ("actor", "role", "rename", "lock", "delete", "alone"),
    [
        ("ada", "member", True, False, True, True),
        ("ada", "moderator", True, True, True, False),
        ("bob", "member", False, False, False, True),
        ("bob", "moderator", True, True, True, False),
    ],
)
@pytest.mark.parametrize("locked", [False, True])
def test_permissions_follow_actor_and_role(actor, role, rename, lock, delete, alone, locked):
    thread = replace(THREAD, locked=locked)
    assert may_rename(actor, role, thread) is rename
    assert may_lock(role) is lock
    assert may_delete(actor, role, thread) is delete
    assert must_be_sole_author(role) is alone


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Splitting a monolith", ("splitting", "a", "monolith")),
        ("again, AGAIN; (Again)", ("again",)),
        ("Straße STRASSE", ("strasse",)),
        ("ＷＩＤＥ ﬁne ½", ("wide", "fine", "1", "2")),
        ("snake_case kebab-case", ("snake_case", "kebab", "case")),
        ("e\u0301te\u0301 \u00e9t\u00e9", ("été",)),
        ("日本語 のスレッド", ("日本語", "のスレッド")),
        ("!!! … 🎉", ()),
        ("", ()),
    ],
)
def test_words_are_compared_in_a_normal_form(text, expected):
    assert words(text) == expected


def test_very_long_word_is_indexed_by_its_hash():
    short, long, other = words(f"{'x' * 64} {'x' * 65} {'x' * 66}")
    assert short == "x" * 64
    assert long != other
    assert {len(long), len(other)} == {65}
    assert words("\u3316" * 120) == words("キロメートル" * 120)


def test_only_the_first_forty_words_of_a_title_are_indexed():
    title = " ".join(f"w{number}" for number in range(60))
    assert title_words(title) == {f"w{number}" for number in range(40)}
