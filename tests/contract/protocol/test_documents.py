"""The OpenAPI documents: valid, complete, and the same from every component."""

import re
from typing import Any

import pytest
import schemathesis

from tests.contract.support.client import Client
from tests.contract.support.selection import at_both_sides

pytestmark = at_both_sides
OPERATIONS = {
    "users": {
        "/api/users": {"get", "post"},
        "/api/users/sessions": {"post", "delete"},
        "/api/users/me": {"get"},
        "/api/users/me/password": {"put"},
        "/api/users/me/sessions": {"delete"},
        "/api/users/{user_id}": {"get", "patch", "delete"},
        "/api/users/{user_id}/erasure": {"get"},
    },
    "threads": {
        "/api/threads": {"get", "post"},
        "/api/threads/{thread_id}": {"get", "patch", "delete"},
    },
    "posts": {
        "/api/posts": {"get", "post"},
        "/api/posts/in-thread/{thread_id}": {"get"},
        "/api/posts/by-user/{user_id}": {"get"},
        "/api/posts/{post_id}": {"get", "patch", "delete"},
    },
}


@pytest.fixture(params=OPERATIONS)
def domain(request: pytest.FixtureRequest) -> str:
    """Return each domain in turn."""
    return str(request.param)


def _document(client: Client, domain: str) -> dict[str, Any]:
    document: dict[str, Any] = client.get(f"/api/{domain}/openapi.json").expect()
    return document


def _texts(value: object, key: str) -> list[str]:
    """Return the texts under a key, at any depth of a document."""
    if isinstance(value, dict):
        here = [value[key]] if isinstance(value.get(key), str) else []
        return here + [text for part in value.values() for text in _texts(part, key)]
    if isinstance(value, list):
        return [text for part in value for text in _texts(part, key)]
    return []


def test_document_is_valid_openapi(domain: str, anyone: Client) -> None:
    document = _document(anyone, domain)
    assert document["openapi"].startswith("3.1.")
    schemathesis.openapi.from_dict(document).validate()


def test_document_names_every_operation(domain: str, anyone: Client) -> None:
    paths = _document(anyone, domain)["paths"]
    assert {path: set(operations) for path, operations in paths.items()} == OPERATIONS[domain]


def test_operations_have_unique_ids_and_descriptions(domain: str, anyone: Client) -> None:
    paths = _document(anyone, domain)["paths"]
    operations = [operation for path in paths.values() for operation in path.values()]
    names = [operation["operationId"] for operation in operations]
    assert len(set(names)) == len(names)
    for operation in operations:
        assert operation.get("summary") or operation.get("description")


def test_every_refusal_is_described_as_a_problem(domain: str, anyone: Client) -> None:
    for path in _document(anyone, domain)["paths"].values():
        for operation in path.values():
            refusals = {s: a for s, a in operation["responses"].items() if s[0] in "45"}
            assert refusals
            for answer in refusals.values():
                assert set(answer["content"]) == {"application/problem+json"}


def test_operations_that_need_a_session_document_it(domain: str, anyone: Client) -> None:
    document = _document(anyone, domain)
    schemes = document["components"]["securitySchemes"]
    assert schemes["bearer"]["scheme"] == "bearer"
    assert re.fullmatch("forum_session_[0-9a-f]{8}", schemes["cookie"]["name"])
    for path in document["paths"].values():
        for operation in path.values():
            assert ("401" in operation["responses"]) == bool(operation.get("security")) or (
                operation["operationId"] == "signIn"
            )


def test_public_operations_need_no_session_explicitly(domain: str, anyone: Client) -> None:
    for path in _document(anyone, domain)["paths"].values():
        for operation in path.values():
            assert "security" in operation
    assert _document(anyone, "users")["paths"]["/api/users"]["post"]["security"] == []


def test_server_is_the_one_with_the_document(domain: str, anyone: Client) -> None:
    assert _document(anyone, domain)["servers"] == [{"url": "/"}]


def test_times_have_their_format(domain: str, anyone: Client) -> None:
    times = [
        (name, schema)
        for part in _document(anyone, domain)["components"]["schemas"].values()
        for name, schema in part.get("properties", {}).items()
        if name.endswith("_at")
    ]
    assert times
    for name, schema in times:
        assert "date-time" in {one.get("format") for one in (schema, *schema.get("anyOf", ()))}, (
            name
        )


def test_patterns_mean_the_same_to_every_engine(domain: str, anyone: Client) -> None:
    # In ECMA-262 these match ASCII only, or other characters than in Python.
    engine_specific = re.compile(r"\\[wWdDbBpP]")

    found = _texts(_document(anyone, domain), "pattern")
    assert found
    assert not [pattern for pattern in found if engine_specific.search(pattern)]


@pytest.mark.parametrize("username", ["ab", "-ab", "a b", "a@b", "a/b", "x" * 31, "a[b]", "a`b"])
def test_document_refuses_usernames_that_the_forum_refuses(username: str, anyone: Client) -> None:
    assert not _fits_username(username, anyone)
    new = {"username": username, "password": "long enough"}
    problem = anyone.post("/api/users", new).refused(400, "about:blank", "username")
    assert "pattern" not in problem["errors"][0]["message"]


@pytest.mark.parametrize("username", ["älice1", "名前です", "ab1", "a_.-b", "a" * 30])
def test_document_accepts_usernames_that_the_forum_accepts(username: str, anyone: Client) -> None:
    assert _fits_username(username, anyone)


def _fits_username(username: str, client: Client) -> bool:
    new_user = _document(client, "users")["components"]["schemas"]["NewUser"]
    schema = new_user["properties"]["username"]
    length = schema["minLength"] <= len(username) <= schema["maxLength"]
    return length and re.search(schema["pattern"], username) is not None


def test_document_may_be_kept_for_a_while(domain: str, anyone: Client) -> None:
    answer = anyone.get(f"/api/{domain}/openapi.json")
    assert answer.headers["Cache-Control"] == "public, max-age=300"


def test_every_read_documents_its_etag_and_304(domain: str, anyone: Client) -> None:
    for path in _document(anyone, domain)["paths"].values():
        if read := path.get("get"):
            names = {parameter["name"] for parameter in read["parameters"]}
            assert "If-None-Match" in names
            assert "ETag" in read["responses"]["200"]["headers"]
            assert read["responses"]["304"].keys() == {"description", "headers"}


def test_local_references_resolve(domain: str, anyone: Client) -> None:
    document = _document(anyone, domain)

    for reference in _texts(document, "$ref"):
        at: Any = document
        for step in reference.removeprefix("#/").split("/"):
            at = at[step]
