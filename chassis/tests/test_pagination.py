"""Cursors: opaque, bound to their list, refused when forged."""

import string

import pytest

from chassis.errors import Invalid
from chassis.pagination import Cursors

KEY = ("2026-01-31T12:00:00.000Z", "0190a5c0-0000-7000-8000-000000000000")
cursors = Cursors("a secret key of tests, 32 characters or more")


def test_cursor_decodes_to_its_key():
    cursor = cursors.encode("notes", KEY)
    assert cursors.decode("notes", cursor) == KEY


def test_cursor_works_in_another_component_with_the_same_secret():
    other = Cursors("a secret key of tests, 32 characters or more")
    assert other.decode("notes", cursors.encode("notes", KEY)) == KEY


def test_end_of_a_list_has_no_cursor_and_an_empty_one_begins_it():
    assert cursors.encode("notes", None) is None
    assert cursors.decode("notes", "") is None


def test_cursor_fits_in_a_url():
    cursor = cursors.encode("notes", KEY)
    assert set(cursor) <= set(string.ascii_letters + string.digits + "-_.")


def test_cursor_of_another_list_is_refused():
    with pytest.raises(Invalid) as failure:
        cursors.decode("notes:of:bob", cursors.encode("notes:of:ann", KEY))
    assert [error.field for error in failure.value.errors] == ["cursor"]


def test_cursor_of_another_secret_is_refused():
    other = Cursors("another secret of tests, 32 characters or more")
    with pytest.raises(Invalid):
        cursors.decode("notes", other.encode("notes", KEY))


def test_cursor_with_any_character_changed_is_refused():
    cursor = cursors.encode("notes", KEY)
    for position, character in enumerate(cursor):
        # Also the last one, whose spare bits base64 ignores: 64 characters, 4 or 16 meanings.
        for other in string.ascii_letters + string.digits + "-_":
            if other != character:
                with pytest.raises(Invalid):
                    cursors.decode("notes", cursor[:position] + other + cursor[position + 1 :])


@pytest.mark.parametrize(
    "cursor", ["x", ".", "..", "=", "W10", "W10.x", "é", "\0", "a" * 1024, "eyJ.e.e", " ", "\ud800"]
)
def test_malformed_cursor_is_refused(cursor):
    with pytest.raises(Invalid):
        cursors.decode("notes", cursor)
