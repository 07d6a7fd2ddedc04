"""`/api/posts`: writing, reading, changing and deleting posts."""

import json

from tests.contract.support.client import Answer, Client
from tests.contract.support.forum import Settle
from tests.contract.support.people import Person
from tests.contract.support.racing import RACERS, race
from tests.contract.support.writing import NOWHERE, ODD_IDS, open_thread, reply
from tests.support.etags import version_of

POSTS = "/api/posts"
LOCKED = "urn:problem:thread-locked"
DELETED = "urn:problem:post-deleted"
STALE = "urn:problem:stale"
ODD_BODIES = (
    "",
    " \n\u2003",
    "x" * 16_001,
    "a\x00b",
    "\x1b[31m",
    "\x7f",
    "\u0085",
    None,
    1,
    {"html": "x"},
    ["x"],
)


def test_member_writes_in_a_thread(ada: Person, ben: Person, anyone: Client) -> None:
    thread = open_thread(ada, "A thread")
    answer = ben.client.post(POSTS, {"thread_id": thread["id"], "body": "Some *words*.\n"})
    post = answer.expect(201)
    assert list(post) == [
        "id", "thread_id", "author", "body", "html", "created_at", "edited_at", "deleted",
    ]  # fmt: skip
    assert post["thread_id"] == thread["id"]
    assert post["author"] == ben.author
    assert post["body"] == "Some *words*.\n"
    assert post["html"] == "<p>Some <em>words</em>.</p>\n"
    assert post["edited_at"] is None
    assert post["deleted"] is False
    assert answer.headers["Location"] == f"{POSTS}/{post['id']}"
    assert version_of(answer.etag) == 1
    read = anyone.get(answer.headers["Location"])
    assert read.expect() == post
    assert read.etag == answer.etag
    assert read.headers["Cache-Control"] == "no-cache"


def test_anonymous_post_is_refused(ada: Person, anyone: Client) -> None:
    thread = open_thread(ada, "A thread")
    anyone.post(POSTS, {"thread_id": thread["id"], "body": "x"}).refused(401)
    assert anyone.get(f"{POSTS}/in-thread/{thread['id']}").expect()["items"] == []


def test_body_may_be_as_long_as_the_limit_in_any_script(ada: Person, anyone: Client) -> None:
    thread = open_thread(ada, "Long ones")
    for body in ("x" * 16_000, "字" * 16_000, "x", " x\t", "\r\nx\r\n", "\ufeffx\u200d"):
        post = reply(ada, thread, body)
        assert post["body"] == body
        assert anyone.get(f"{POSTS}/{post['id']}").expect() == post


def test_sixteen_thousand_characters_fit_in_any_bytes(ada: Person) -> None:
    """Up to four bytes each in UTF-8, and up to twelve where they are escaped."""
    thread = open_thread(ada, "Wide")
    headers = {"Content-Type": "application/json"}
    for text in ("😀" * 16_000, "字" * 16_000):
        for escaped in (False, True):
            new = {"thread_id": thread["id"], "body": text}
            body = json.dumps(new, ensure_ascii=escaped).encode()
            post = ada.client.send("POST", POSTS, body=body, headers=headers).expect(201)
            assert post["body"] == text
            change = json.dumps({"body": text[:-1] + "."}, ensure_ascii=escaped).encode()
            path = f"{POSTS}/{post['id']}"
            changed = ada.client.send("PATCH", path, body=change, headers=headers).expect(200)
            assert changed["body"] == text[:-1] + "."


def test_invalid_post_is_refused_and_changes_nothing(ada: Person, anyone: Client) -> None:
    thread = open_thread(ada, "A thread")
    post = reply(ada, thread, "Stays as it is")
    for odd in ODD_BODIES:
        new = {"thread_id": thread["id"], "body": odd}
        ada.client.post(POSTS, new).refused(400, "about:blank", "body")
        change = {"body": odd}
        ada.client.patch(f"{POSTS}/{post['id']}", change).refused(400, "about:blank", "body")
    for field in ("html", "author", "deleted", "id", "created_at"):
        new = {"thread_id": thread["id"], "body": "x", field: post[field]}
        ada.client.post(POSTS, new).refused(400, "about:blank", field)
        change = {"body": "x", field: post[field]}
        ada.client.patch(f"{POSTS}/{post['id']}", change).refused(400, "about:blank", field)
    assert anyone.get(f"{POSTS}/in-thread/{thread['id']}").expect()["items"] == [post]
    assert version_of(anyone.get(f"{POSTS}/{post['id']}").etag) == 1


def test_invalid_thread_id_is_refused(ada: Person) -> None:
    for odd in ("", None, 7, "a b", "x" * 65, "../users", ["x"], "a\n"):
        new = {"thread_id": odd, "body": "x"}
        ada.client.post(POSTS, new).refused(400, "about:blank", "thread_id")


def test_thread_of_a_post_is_required_and_fixed(ada: Person) -> None:
    ada.client.post(POSTS, {"body": "x"}).refused(400, "about:blank", "thread_id")
    thread, other = open_thread(ada, "One"), open_thread(ada, "Another")
    post = reply(ada, thread, "Here")
    change = {"body": "There", "thread_id": other["id"]}
    ada.client.patch(f"{POSTS}/{post['id']}", change).refused(400, "about:blank", "thread_id")
    ada.client.patch(f"{POSTS}/{post['id']}", {}).refused(400, "about:blank", "")


def test_unknown_thread_takes_no_post(ada: Person, anyone: Client) -> None:
    for thread_id in (NOWHERE, NOWHERE.upper(), "1", "nowhere"):
        ada.client.post(POSTS, {"thread_id": thread_id, "body": "x"}).refused(404)
    assert anyone.get(f"{POSTS}/by-user/{ada.id}").expect()["items"] == []


def test_locked_thread_takes_no_post_from_anyone(
    ada: Person, ben: Person, mod: Person, anyone: Client, settle: Settle
) -> None:
    thread = open_thread(ada, "Shut")
    post = reply(ada, thread, "Before")
    settle("posts", "threads")
    mod.client.patch(f"/api/threads/{thread['id']}", {"locked": True}).expect()
    settle("threads", "posts")
    new = {"thread_id": thread["id"], "body": "After"}
    for person in (ada, ben, mod):
        person.client.post(POSTS, new).refused(409, LOCKED)
    assert anyone.get(f"{POSTS}/in-thread/{thread['id']}").expect()["items"] == [post]
    # What is in it can still be put right.
    ada.client.patch(f"{POSTS}/{post['id']}", {"body": "Before, edited"}).expect()
    mod.client.patch(f"/api/threads/{thread['id']}", {"locked": False}).expect()
    settle("threads", "posts")
    reply(ben, thread, "After all")


def test_thread_locked_before_its_first_post_takes_no_post(
    ada: Person, mod: Person, settle: Settle
) -> None:
    thread = open_thread(ada, "Shut from the start")
    mod.client.patch(f"/api/threads/{thread['id']}", {"locked": True}).expect()
    settle("threads", "posts")
    new = {"thread_id": thread["id"], "body": "After"}
    ada.client.post(POSTS, new).refused(409, LOCKED)


def test_unknown_or_invalid_id_is_404(ada: Person, anyone: Client) -> None:
    for odd in (*ODD_IDS, "in-thread", "by-user"):
        path = f"{POSTS}/{odd}"
        anyone.get(path).refused(404)
        ada.client.patch(path, {"body": "x"}).refused(404)
        ada.client.delete(path).refused(404)


def test_author_edits_a_post(ada: Person, ben: Person, mod: Person, anyone: Client) -> None:
    first = reply(ada, open_thread(ada, "A thread"), "First")
    path = f"{POSTS}/{first['id']}"
    ben.client.patch(path, {"body": "By ben"}).refused(403)
    mod.client.patch(path, {"body": "By a moderator"}).refused(403)
    anyone.patch(path, {"body": "By nobody"}).refused(401)
    assert anyone.get(path).expect() == first
    answer = ada.client.patch(path, {"body": "**Second**"})
    second = answer.expect()
    changed = {"body": "**Second**", "html": "<p><strong>Second</strong></p>\n"}
    assert second == first | changed | {"edited_at": second["edited_at"]}
    assert second["edited_at"] > first["created_at"]
    assert version_of(answer.etag) == 2
    assert anyone.get(path).content == answer.content
    assert anyone.get(path).etag == answer.etag


def test_deleted_post_stays_in_the_thread_without_its_text(
    ada: Person, ben: Person, anyone: Client
) -> None:
    thread = open_thread(ada, "A thread")
    posts = [reply(person, thread, "Words to go") for person in (ada, ben, ada)]
    path = f"{POSTS}/{posts[0]['id']}"
    ada.client.patch(path, {"body": "Words to go, edited"}).expect()
    ben.client.delete(path).refused(403)
    anyone.delete(path).refused(401)
    before = anyone.get(path)
    ada.client.delete(path).expect(204)
    after = anyone.get(path)
    gone = {"body": "", "html": "", "deleted": True, "edited_at": None}
    assert after.expect() == before.body | gone
    assert after.etag != before.etag
    items = anyone.get(f"{POSTS}/in-thread/{thread['id']}").expect()["items"]
    assert items == [after.body, *posts[1:]]


def test_deleted_post_stays_deleted(ada: Person, ben: Person, mod: Person) -> None:
    path = f"{POSTS}/{reply(ada, open_thread(ada, 'A thread'), 'Gone')['id']}"
    ada.client.delete(path).expect(204)
    tag = ada.client.get(path).etag
    ada.client.delete(path).expect(204)
    mod.client.delete(path).expect(204)
    ben.client.delete(path).refused(403)
    assert ada.client.get(path).etag == tag
    ada.client.patch(path, {"body": "Back"}).refused(409, DELETED)
    mod.client.patch(path, {"body": "Back"}).refused(403)
    assert ada.client.get(path).expect()["body"] == ""


def test_moderator_deletes_any_post(ada: Person, mod: Person, anyone: Client) -> None:
    path = f"{POSTS}/{reply(ada, open_thread(ada, 'A thread'), 'Rude')['id']}"
    mod.client.delete(path).expect(204)
    assert anyone.get(path).expect()["deleted"] is True


def test_outdated_edit_is_refused(ada: Person, anyone: Client) -> None:
    path = f"{POSTS}/{reply(ada, open_thread(ada, 'A thread'), 'First')['id']}"
    first = anyone.get(path).etag
    second = ada.client.patch(path, {"body": "Second"}, if_match=first)
    second.expect()
    ada.client.patch(path, {"body": "Third"}, if_match=first).refused(412, STALE)
    ada.client.delete(path, if_match=first).refused(412, STALE)
    assert anyone.get(path).content == second.content
    ada.client.delete(path, if_match=second.etag).expect(204)
    assert anyone.get(path).expect()["deleted"] is True


def test_one_of_fifty_racing_edits_wins(ada: Person, anyone: Client) -> None:
    path = f"{POSTS}/{reply(ada, open_thread(ada, 'A thread'), 'Race')['id']}"
    tag = anyone.get(path).etag

    def edit(client: Client, number: int) -> Answer:
        return client.patch(path, {"body": f"Racer {number}"}, if_match=tag)

    answers = race(ada.client, edit)
    assert sorted(answer.status for answer in answers) == [200] + [412] * (RACERS - 1)
    winner = next(answer for answer in answers if answer.status == 200)
    ada.client.transcript.alias(winner.body["body"], "the winner's words")
    after = anyone.get(path)
    assert after.content == winner.content
    assert after.etag == winner.etag


def test_fifty_concurrent_replies_are_all_saved(
    ada: Person, anyone: Client, settle: Settle
) -> None:
    thread = open_thread(ada, "Busy")

    def answer(client: Client, number: int) -> Answer:
        return client.post(POSTS, {"thread_id": thread["id"], "body": f"Reply {number}"})

    made = {answer.expect(201)["id"] for answer in race(ada.client, answer)}
    with anyone.transcript.paused():
        page = anyone.get(f"{POSTS}/in-thread/{thread['id']}", limit=100).expect()
        assert {post["id"] for post in page["items"]} == made
    settle("posts", "threads")
    counted = anyone.get(f"/api/threads/{thread['id']}").expect()
    assert counted["post_count"] == RACERS
    assert counted["last_activity_at"] == max(post["created_at"] for post in page["items"])
