"""The rules about posts."""

from datetime import UTC, datetime

import pytest

from posts.model import Post, may_delete, may_edit

POST = Post(
    id="p1",
    thread_id="t1",
    author_id="ada",
    author_name="Ada",
    body="Hello",
    html="<p>Hello</p>\n",
    created_at=datetime(2026, 1, 1, tzinfo=UTC),
    edited_at=None,
    deleted=False,
    version=1,
)


@pytest.mark.parametrize(
    ("actor", "role", "edits", "deletes"),
    [
        ("ada", "member", True, True),
        ("ada", "moderator", True, True),
        ("bob", "member", False, False),
        ("bob", "moderator", False, True),
        ("bob", "admin", False, False),
        ("", "", False, False),
    ],
)
def test_permissions_follow_actor_and_role(actor, role, edits, deletes):
    assert may_edit(actor, POST) is edits
    assert may_delete(actor, role, POST) is deletes
