"""The rules about people, as tables."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from users.model import (
    MAX_USERNAME_KEY,
    User,
    may_edit_profile,
    may_moderate,
    normalize_username,
    username_key,
)

ADA = User(
    id="ada",
    username="ada",
    display_name="Ada",
    bio="",
    role="member",
    suspended=False,
    created_at=datetime(2026, 1, 31, tzinfo=UTC),
    version=1,
)


@pytest.mark.parametrize(
    ("shown", "other"),
    [
        ("ada", "Ada"),
        ("ada", "ＡＤＡ"),
        ("straße", "STRASSE"),
        ("ﬁona", "Fiona"),
        ("zo\u00eb", "ZOE\u0308"),
        ("σοφος", "ΣΟΦΟΣ"),
    ],
)
def test_confusable_names_share_a_key(shown, other):
    assert username_key(shown) == username_key(other)


def test_other_names_do_not_share_a_key():
    names = ["ada", "adá", "ada.", "a.da", "adа"]  # the last ends in a Cyrillic letter
    assert len({username_key(name) for name in names}) == len(names)


def test_name_is_stored_as_typed_in_its_normal_form():
    assert normalize_username("ＡdaＬ") == "AdaL"


def test_key_of_any_name_fits_the_datastore():
    assert len(username_key("\ufdfa" * 64)) == MAX_USERNAME_KEY
    grows = [letter for letter in map(chr, range(0x20000)) if len(letter.casefold()) > 1]
    names = [letter * 30 for letter in grows if len(normalize_username(letter * 30)) == 30]
    assert max(len(username_key(name)) for name in names) < MAX_USERNAME_KEY


@pytest.mark.parametrize(("actor", "allowed"), [("ada", True), ("bob", False)])
def test_only_the_user_edits_their_profile(actor, allowed):
    assert may_edit_profile(actor, ADA.id) is allowed


@pytest.mark.parametrize(("role", "allowed"), [("member", False), ("moderator", True)])
def test_only_moderators_moderate(role, allowed):
    assert may_moderate(replace(ADA, role=role)) is allowed
