"""The document of the API of posts, and the shape of what is served."""

import pytest

from posts.settings import PostsSettings
from tests.support.people import SECRET_KEY

PATH = "/api/posts"


def test_document_names_every_operation(client):
    answer = client.get(f"{PATH}/openapi.json")
    assert answer.status_code == 200
    assert answer.json["openapi"].startswith("3.1")
    operations = {
        operation["operationId"]: (method, path)
        for path, methods in answer.json["paths"].items()
        for method, operation in methods.items()
    }
    assert operations == {
        "createPost": ("post", PATH),
        "listPosts": ("get", PATH),
        "listPostsInThread": ("get", f"{PATH}/in-thread/{{thread_id}}"),
        "listPostsByUser": ("get", f"{PATH}/by-user/{{user_id}}"),
        "getPost": ("get", f"{PATH}/{{post_id}}"),
        "changePost": ("patch", f"{PATH}/{{post_id}}"),
        "deletePost": ("delete", f"{PATH}/{{post_id}}"),
    }
    schemas = answer.json["components"]["schemas"]
    assert {"NewPost", "PostChange", "PostOut", "PostsOut", "AuthorOut", "Problem"} <= set(schemas)
    assert set(schemas["PostOut"]["required"]) == {
        "id",
        "thread_id",
        "author",
        "body",
        "html",
        "created_at",
        "edited_at",
        "deleted",
    }


def test_writing_is_documented_as_needing_a_session(client):
    paths = client.get(f"{PATH}/openapi.json").json["paths"]
    for methods in paths.values():
        for method, operation in methods.items():
            assert bool(operation["security"]) == (method != "get")


@pytest.mark.parametrize("url", ["", "threads:8102", "http://threads/api", "ftp://threads"])
def test_threads_url_must_be_valid(session_keys, url):
    with pytest.raises(ValueError, match="threads_url"):
        PostsSettings(
            secret_key=SECRET_KEY, session_public_keys=session_keys.public, threads_url=url
        )
