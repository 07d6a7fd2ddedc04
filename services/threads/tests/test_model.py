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
