"""Messages of forms."""

import pytest

from forum.posts.schemas import NewPost
from forum.users.schemas import NewUser
from forum.web.forms import Form


@pytest.mark.parametrize(
    ("model", "content", "field", "message"),
    [
        (NewUser, {"username": "ada"}, "password", "Fill in this field."),
        (
            NewUser,
            {"username": "ada", "password": "short"},
            "password",
            "Use at least 8 characters.",
        ),
        (
            NewUser,
            {"username": "a b", "password": "long enough"},
            "username",
            "Use 3 to 30 letters, digits, dots, dashes or underscores;"
            " start with a letter or digit.",
        ),
        (NewPost, {"thread_id": "1", "body": " \n"}, "body", "Fill in this field."),
        (NewPost, {"thread_id": "1", "body": "x" * 16001}, "body", "Use at most 16000 characters."),
        (
            NewPost,
            {"thread_id": "1", "body": "a\0"},
            "body",
            "This must not contain control characters.",
        ),
    ],
)
def test_form_reports_what_is_wrong(model, content, field, message):
    form = Form()
    assert form.parse(model, **content) is None
    assert form.errors == {field: message}
    assert form.status == 400
