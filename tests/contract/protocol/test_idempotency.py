"""`Idempotency-Key`: a repeated request has one effect and one response."""

from typing import Any

import pytest

from tests.contract.support.client import Answer, Client
from tests.contract.support.forum import Settle
from tests.contract.support.people import PASSWORD, People, Person, sign_in
from tests.contract.support.racing import race
from tests.contract.support.selection import at_both_sides
from tests.contract.support.writing import open_thread, reply

USERS, THREADS, POSTS = "/api/users", "/api/threads", "/api/posts"
REUSED = "urn:problem:idempotency-key-reused"

Body = dict[str, Any]


@pytest.fixture(params=[USERS, THREADS, POSTS])
def creation(request: pytest.FixtureRequest, ada: Person) -> tuple[Client, str, Body]:
    """Return a client, a path, and a body that the client can create there."""
    client, mark = ada.client, ada.client.transcript.mark
    if request.param == USERS:
        return client, USERS, {"username": f"new.{mark}", "password": PASSWORD}
    if request.param == THREADS:
        return client, THREADS, {"title": f"A thread {mark}"}
    thread = open_thread(ada, "A thread")
    return client, POSTS, {"thread_id": thread["id"], "body": f"A post {mark}"}


def _key(client: Client) -> str:
    return f"key-{client.transcript.mark}"


def _same(first: Answer, second: Answer) -> None:
    assert second.status == first.status == 201
    assert second.content == first.content
    for header in ("ETag", "Location", "Content-Type", "Cache-Control"):
        assert second.headers[header] == first.headers[header]


def _made(client: Client, path: str, creation: Body) -> int:
    """Count what the test's own creations left."""
    with client.transcript.paused():
        if path == USERS:
            listed = client.get(USERS, limit=100).expect()["items"]
            return sum(user["username"] == creation["username"] for user in listed)
        if path == THREADS:
            return len(client.get(THREADS, q=client.transcript.mark).expect()["items"])
        thread = creation["thread_id"]
        return len(client.get(f"{POSTS}/in-thread/{thread}").expect()["items"])


@at_both_sides
def test_repeated_request_gets_the_first_response(creation: tuple[Client, str, Body]) -> None:
    client, path, body = creation
    first = client.post(path, body, key=_key(client))
    _same(first, client.post(path, body, key=_key(client)))
    # The order of fields and the way they are written make it no other request.
    text = ("{ " + ", ".join(f'"{k}" : "{v}"' for k, v in reversed(body.items())) + " }").encode()
    headers = {"Idempotency-Key": _key(client), "Content-Type": "application/json"}
    _same(first, client.send("POST", path, body=text, headers=headers))
    assert _made(client, path, body) == 1


@at_both_sides
def test_another_request_with_the_same_key_is_refused(
    creation: tuple[Client, str, Body],
) -> None:
    client, path, body = creation
    first = client.post(path, body, key=_key(client))
    first.expect(201)
    last = list(body)[-1]
    client.post(path, body | {last: "something else"}, key=_key(client)).refused(422, REUSED)
    _same(first, client.post(path, body, key=_key(client)))
    assert _made(client, path, body) == 1


@at_both_sides
def test_refused_request_does_not_use_up_its_key(creation: tuple[Client, str, Body]) -> None:
    client, path, body = creation
    client.post(path, body | {"odd": 1}, key=_key(client)).refused(400)
    client.post(path, body, key=_key(client)).expect(201)


@at_both_sides
def test_fifty_racing_repetitions_have_one_effect_and_response(
    creation: tuple[Client, str, Body],
) -> None:
    client, path, body = creation

    def create(racer: Client, _: int) -> Answer:
        return racer.post(path, body, key=_key(client))

    answers = race(client, create)
    for answer in answers:
        _same(answers[0], answer)
    assert client.get(answers[0].headers["Location"]).content == answers[0].content
    assert _made(client, path, body) == 1
    _same(answers[0], client.post(path, body, key=_key(client)))


@at_both_sides
def test_racing_requests_that_differ_have_one_effect(creation: tuple[Client, str, Body]) -> None:
    client, path, body = creation
    last = list(body)[-1]
    forms = body, body | {last: body[last] + " otherwise"}

    def create(racer: Client, number: int) -> Answer:
        return racer.post(path, forms[number % 2], key=_key(client))

    with client.transcript.paused():
        answers = race(client, create)
    assert sorted(answer.status for answer in answers) == [201] * 25 + [422] * 25
    assert len({answer.content for answer in answers if answer.status == 201}) == 1
    assert {answer.problem_type for answer in answers if answer.status == 422} == {REUSED}


def test_first_response_is_repeated_after_later_changes(
    ada: Person, ben: Person, mod: Person, settle: Settle
) -> None:
    new = {"title": "Repeated"}
    first = ada.client.post(THREADS, new, key="key")
    thread = first.expect(201)
    path = f"{THREADS}/{thread['id']}"
    ada.client.patch(path, {"title": "Changed"}).expect()
    reply(ben, thread, "Counted")
    _same(first, ada.client.post(THREADS, new, key="key"))
    answer = {"thread_id": thread["id"], "body": "Once"}
    post = ada.client.post(POSTS, answer, key="key")
    ada.client.delete(f"{POSTS}/{post.expect(201)['id']}").expect(204)
    settle("posts", "threads")
    mod.client.patch(path, {"locked": True}).expect()
    settle("threads", "posts")
    _same(post, ada.client.post(POSTS, answer, key="key"))
    mod.client.delete(path).expect(204)
    settle("threads", "posts")
    _same(first, ada.client.post(THREADS, new, key="key"))
    _same(post, ada.client.post(POSTS, answer, key="key"))
    ada.client.get(path).refused(404)


@at_both_sides
def test_registration_is_repeated_after_it_took_the_name(anyone: Client, people: People) -> None:
    new = {"username": people.name("twice"), "password": PASSWORD}
    first = anyone.post(USERS, new, key=_key(anyone))
    anyone.patch(first.headers["Location"], {"bio": "x"}).refused(401)
    _same(first, anyone.post(USERS, new, key=_key(anyone)))
    anyone.post(USERS, new).refused(409, "urn:problem:username-taken")
    anyone.post(USERS, new, key=_key(anyone) + "2").refused(409, "urn:problem:username-taken")


def test_responses_about_a_person_go_with_them(
    anyone: Client, people: People, settle: Settle
) -> None:
    new = {"username": people.name("gone"), "display_name": "Soon Gone", "password": PASSWORD}
    first = anyone.post(USERS, new, key=_key(anyone)).expect(201)
    token = sign_in(anyone, new["username"], PASSWORD)
    person = Person(people.anonymous(token), first["id"], new["username"], "Soon Gone")
    thread = {"title": f"Stays {anyone.transcript.mark}"}
    post = {"thread_id": open_thread(person, "Stays too")["id"], "body": "Stays"}
    person.client.post(THREADS, thread, key="gone").expect(201)
    person.client.post(POSTS, post, key="gone").expect(201)
    person.erase().expect(202)
    settle()
    person.client.post(THREADS, thread, key="gone").refused(401)
    person.client.post(POSTS, post, key="gone").refused(401)
    # The name is free, and the key is new again.
    assert anyone.post(USERS, new, key=_key(anyone)).expect(201)["id"] != first["id"]


@at_both_sides
def test_key_belongs_to_one_user_and_path(ada: Person, ben: Person) -> None:
    new = {"title": "Alike"}
    first = ada.client.post(THREADS, new, key="alike").expect(201)
    second = ben.client.post(THREADS, new, key="alike").expect(201)
    assert first["id"] != second["id"]
    assert second["author"] == ben.author
    post = {"thread_id": first["id"], "body": "Alike"}
    ada.client.post(POSTS, post, key="alike").expect(201)
    ada.sign_in()
    again = ada.client.post(THREADS, new, key="alike").expect(201)
    assert again == first, "a key belongs to the person, not to the session"


@at_both_sides
def test_keys_are_case_sensitive(ada: Person) -> None:
    new = {"title": "Alike"}
    first = ada.client.post(THREADS, new, key="key").expect(201)
    assert ada.client.post(THREADS, new, key="KEY").expect(201)["id"] != first["id"]


@at_both_sides
def test_invalid_key_is_refused(creation: tuple[Client, str, Body]) -> None:
    client, path, body = creation
    for odd in ("", "a b", "x" * 201, "\u00e9", "tab\tbed"):
        client.post(path, body, key=odd).refused(400, "about:blank", "Idempotency-Key")
    assert _made(client, path, body) == 0


@at_both_sides
def test_any_visible_ascii_is_a_key(ada: Person) -> None:
    for key in ("!", "~" * 200, '"quoted"', "a,b;c=d", "%00"):
        first = ada.client.post(THREADS, {"title": "Keyed"}, key=key)
        _same(first, ada.client.post(THREADS, {"title": "Keyed"}, key=key))


@at_both_sides
def test_other_methods_ignore_a_key(ada: Person) -> None:
    thread = open_thread(ada, "Keyed")
    path, headers = f"{THREADS}/{thread['id']}", {"Idempotency-Key": "not a key at all \u00e9"}

    def send(method: str, body: Body | None) -> Answer:
        sent = {name: value.encode("latin-1").decode("latin-1") for name, value in headers.items()}
        return ada.client.send(method, path, json=body, headers=sent)

    send("GET", None).expect()
    assert send("PATCH", {"title": "One"}).expect()["title"] == "One"
    assert send("PATCH", {"title": "Two"}).expect()["title"] == "Two"
    send("DELETE", None).expect(204)
