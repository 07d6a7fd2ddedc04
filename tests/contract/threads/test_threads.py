"""`/api/threads`: opening, reading, changing and deleting threads."""

from tests.contract.support.client import Answer, Client
from tests.contract.support.forum import Settle
from tests.contract.support.paging import walk
from tests.contract.support.people import CONFIRMED, Person
from tests.contract.support.racing import RACERS, race
from tests.contract.support.writing import ODD_IDS, ODD_LINES, open_thread, reply
from tests.support.etags import version_of

THREADS = "/api/threads"
NOT_ALONE = "urn:problem:not-alone"
STALE = "urn:problem:stale"


def test_member_opens_a_thread(ada: Person, anyone: Client) -> None:
    answer = ada.client.post(THREADS, {"title": "  What to extract first?\u00a0"})
    thread = answer.expect(201)
    assert list(thread) == [
        "id", "title", "author", "created_at", "last_activity_at", "post_count", "locked",
    ]  # fmt: skip
    assert thread["title"] == "What to extract first?"
    assert thread["author"] == ada.author
    assert thread["last_activity_at"] == thread["created_at"]
    assert thread["post_count"] == 0
    assert thread["locked"] is False
    assert answer.headers["Location"] == f"{THREADS}/{thread['id']}"
    assert version_of(answer.etag) == 1
    read = anyone.get(answer.headers["Location"])
    assert read.expect() == thread
    assert read.etag == answer.etag
    assert read.headers["Cache-Control"] == "no-cache"


def test_anonymous_user_cannot_open_a_thread(anyone: Client) -> None:
    anyone.post(THREADS, {"title": "Anonymous"}).refused(401)


def test_title_may_be_as_long_as_the_limit_in_any_script(ada: Person) -> None:
    for title in ("字" * 120, "😀" * 120, "x", "<b>&amp;\"'", "﷽"):
        assert ada.client.post(THREADS, {"title": title}).expect(201)["title"] == title


def test_invalid_title_is_refused(ada: Person, anyone: Client) -> None:
    thread = open_thread(ada, "Stays as it is")
    path = f"{THREADS}/{thread['id']}"
    before = anyone.get(path)
    for odd in ("", " \u2003 ", *ODD_LINES, "x" * 121, None, 1, ["x"]):
        ada.client.post(THREADS, {"title": odd}).refused(400, "about:blank", "title")
        ada.client.patch(path, {"title": odd}).refused(400, "about:blank", "title")
    ada.client.post(THREADS, {}).refused(400, "about:blank", "title")
    ada.client.patch(path, {}).refused(400, "about:blank", "")
    after = anyone.get(path)
    assert (after.content, after.etag) == (before.content, before.etag)


def test_invalid_change_is_refused_and_changes_nothing(
    ada: Person, mod: Person, anyone: Client
) -> None:
    path = f"{THREADS}/{open_thread(ada, 'Stays as it is')['id']}"
    before = anyone.get(path)
    for person in (ada, mod):
        for odd in (None, 1, "true", ["x"]):
            person.client.patch(path, {"locked": odd}).refused(400, "about:blank", "locked")
        for field in ("post_count", "author", "id", "created_at", "last_activity_at"):
            change = {"title": "Fine", field: before.body[field]}
            person.client.patch(path, change).refused(400, "about:blank", field)
            person.client.post(THREADS, change).refused(400, "about:blank", field)
    after = anyone.get(path)
    assert (after.content, after.etag) == (before.content, before.etag)


def test_unknown_or_invalid_id_is_404(ada: Person, anyone: Client) -> None:
    for odd in ODD_IDS:
        path = f"{THREADS}/{odd}"
        anyone.get(path).refused(404)
        ada.client.patch(path, {"title": "x"}).refused(404)
        ada.client.delete(path).refused(404)


def test_author_and_moderator_change_the_title(
    ada: Person, ben: Person, mod: Person, anyone: Client
) -> None:
    path = f"{THREADS}/{open_thread(ada, 'First')['id']}"
    first = anyone.get(path)
    ben.client.patch(path, {"title": "By ben"}).refused(403)
    anyone.patch(path, {"title": "By nobody"}).refused(401)
    second = ada.client.patch(path, {"title": " Second "})
    assert second.expect() == first.body | {"title": "Second"}
    assert second.etag != first.etag
    third = mod.client.patch(path, {"title": "Third"})
    assert third.expect() == first.body | {"title": "Third"}
    assert anyone.get(path).content == third.content
    assert anyone.get(path).etag == third.etag


def test_only_a_moderator_locks_and_unlocks(
    ada: Person, ben: Person, mod: Person, anyone: Client
) -> None:
    path = f"{THREADS}/{open_thread(ada, 'A lock')['id']}"
    ada.client.patch(path, {"locked": True}).refused(403)
    ada.client.patch(path, {"title": "Both", "locked": True}).refused(403)
    ben.client.patch(path, {"locked": True}).refused(403)
    assert anyone.get(path).expect()["title"] == "A lock"
    assert mod.client.patch(path, {"locked": True}).expect()["locked"] is True
    assert anyone.get(path).expect()["locked"] is True
    assert ada.client.patch(path, {"title": "Locked"}).expect()["locked"] is True
    both = mod.client.patch(path, {"title": "Open", "locked": False}).expect()
    assert (both["title"], both["locked"]) == ("Open", False)


def test_removed_role_has_no_effect(ada: Person, ben: Person, mod: Person, settle: Settle) -> None:
    thread = open_thread(ada, "Whose?")
    path, post = f"{THREADS}/{thread['id']}", reply(ben, thread, "Mine")
    assert mod.client.patch(mod.path, {"role": "member"} | CONFIRMED).expect()["role"] == "member"
    settle("users", "threads", "posts")
    for _ in range(2):
        mod.client.patch(path, {"locked": True}).refused(403)
        mod.client.patch(path, {"title": "Mine"}).refused(403)
        mod.client.delete(path).refused(403)
        mod.client.delete(f"/api/posts/{post['id']}").refused(403)
        mod.sign_in()


def test_new_role_applies_in_the_same_session(
    ada: Person, ben: Person, mod: Person, settle: Settle
) -> None:
    thread = open_thread(ada, "Whose?")
    post = reply(ada, thread, "Mine")
    mod.client.patch(ben.path, {"role": "moderator"} | CONFIRMED).expect()
    settle()
    assert ben.client.patch(f"{THREADS}/{thread['id']}", {"locked": True}).expect()["locked"]
    ben.client.delete(f"/api/posts/{post['id']}").expect(204)


def test_outdated_edit_is_refused(ada: Person, mod: Person, anyone: Client) -> None:
    path = f"{THREADS}/{open_thread(ada, 'First')['id']}"
    first = anyone.get(path).etag
    second = ada.client.patch(path, {"title": "Second"}, if_match=first)
    second.expect()
    ada.client.patch(path, {"title": "Third"}, if_match=first).refused(412, STALE)
    mod.client.patch(path, {"locked": True}, if_match=first).refused(412, STALE)
    ada.client.delete(path, if_match=first).refused(412, STALE)
    assert anyone.get(path).content == second.content
    ada.client.delete(path, if_match=second.etag).expect(204)
    anyone.get(path).refused(404)


def test_reply_changes_the_etag_but_not_the_version(
    ada: Person, ben: Person, anyone: Client, settle: Settle
) -> None:
    thread = open_thread(ada, "Lively")
    path = f"{THREADS}/{thread['id']}"
    tag = anyone.get(path).etag
    reply(ben, thread, "A reply")
    settle("posts", "threads")
    after = anyone.get(path)
    assert after.expect()["post_count"] == 1
    assert version_of(after.etag) == version_of(tag)
    assert after.etag != tag
    assert anyone.get(path, headers={"If-None-Match": tag}).content == after.content
    anyone.get(path, headers={"If-None-Match": after.etag}).expect_status(304)
    ada.client.patch(path, {"title": "Still mine"}, if_match=tag).expect()
    ada.client.patch(path, {"title": "Too late"}, if_match=after.etag).refused(412, STALE)


def test_one_of_fifty_racing_edits_wins(ada: Person, anyone: Client) -> None:
    path = f"{THREADS}/{open_thread(ada, 'Race')['id']}"
    tag = anyone.get(path).etag

    def edit(client: Client, number: int) -> Answer:
        return client.patch(path, {"title": f"Racer {number}"}, if_match=tag)

    answers = race(ada.client, edit)
    assert sorted(answer.status for answer in answers) == [200] + [412] * (RACERS - 1)
    winner = next(answer for answer in answers if answer.status == 200)
    ada.client.transcript.alias(winner.body["title"], "the winner's title")
    after = anyone.get(path)
    assert after.content == winner.content
    assert after.etag == winner.etag


def test_author_deletes_a_thread_while_alone_in_it(
    ada: Person, ben: Person, anyone: Client
) -> None:
    empty = open_thread(ada, "Empty")
    ben.client.delete(f"{THREADS}/{empty['id']}").refused(403)
    anyone.delete(f"{THREADS}/{empty['id']}").refused(401)
    answer = ada.client.delete(f"{THREADS}/{empty['id']}")
    answer.expect(204)
    own = open_thread(ada, "Own")
    reply(ada, own, "To myself")
    ada.client.delete(f"{THREADS}/{own['id']}").expect(204)
    for thread in (empty, own):
        anyone.get(f"{THREADS}/{thread['id']}").refused(404)
        ada.client.delete(f"{THREADS}/{thread['id']}").refused(404)
        ada.client.patch(f"{THREADS}/{thread['id']}", {"title": "Back"}).refused(404)


def test_thread_with_posts_of_others_needs_a_moderator_to_delete(
    ada: Person, ben: Person, mod: Person, anyone: Client, settle: Settle
) -> None:
    thread = open_thread(ada, "Shared")
    path = f"{THREADS}/{thread['id']}"
    reply(ada, thread, "Mine")
    reply(ben, thread, "Yours")
    ada.client.delete(path).refused(409, NOT_ALONE)
    ben.client.delete(path).refused(403)
    settle("posts", "threads")
    assert anyone.get(path).expect()["post_count"] == 2
    mod.client.delete(path).expect(204)
    anyone.get(path).refused(404)


def test_author_is_alone_after_a_reply_of_another_is_deleted(
    ada: Person, ben: Person, anyone: Client
) -> None:
    thread = open_thread(ada, "Alone again")
    post = reply(ben, thread, "Never mind")
    ben.client.delete(f"/api/posts/{post['id']}").expect(204)
    ada.client.delete(f"{THREADS}/{thread['id']}").expect(204)
    anyone.get(f"{THREADS}/{thread['id']}").refused(404)


def test_locked_thread_can_be_deleted(ada: Person, mod: Person, anyone: Client) -> None:
    path = f"{THREADS}/{open_thread(ada, 'Shut')['id']}"
    mod.client.patch(path, {"locked": True}).expect()
    ada.client.delete(path).expect(204)
    anyone.get(path).refused(404)


def test_posts_of_a_deleted_thread_are_deleted(
    ada: Person, ben: Person, mod: Person, anyone: Client, settle: Settle
) -> None:
    kept, thread = open_thread(ada, "Kept"), open_thread(ada, "Doomed")
    post = reply(ada, kept, "Stays")
    doomed = [reply(person, thread, "Doomed too") for person in (ada, ben, ada)]
    ben.client.delete(f"/api/posts/{doomed[1]['id']}").expect(204)
    mod.client.delete(f"{THREADS}/{thread['id']}").expect(204)
    settle("threads", "posts")
    ada.client.post("/api/posts", {"thread_id": thread["id"], "body": "Too late"}).refused(404)
    for order in ("asc", "desc"):
        anyone.get(f"/api/posts/in-thread/{thread['id']}", order=order).refused(404)
    for gone, author in zip(doomed, (ada, ben, ada), strict=True):
        path = f"/api/posts/{gone['id']}"
        anyone.get(path).refused(404)
        author.client.patch(path, {"body": "x"}).refused(404)
        author.client.delete(path).refused(404)
        mod.client.delete(path).refused(404)
    assert anyone.get(f"/api/posts/by-user/{ada.id}").expect()["items"] == [post]
    assert anyone.get(f"/api/posts/by-user/{ben.id}").expect()["items"] == []
    assert anyone.get("/api/posts", limit=1).expect()["items"] == [post]
    listed = walk(anyone, "/api/posts", limit=100)
    assert not {gone["id"] for gone in doomed} & {one["id"] for one in listed}


def test_posts_are_counted_and_move_the_last_activity(
    ada: Person, ben: Person, anyone: Client, settle: Settle
) -> None:
    thread = open_thread(ada, "Counting")
    path = f"{THREADS}/{thread['id']}"
    reply(ada, thread, "One")
    second = reply(ben, thread, "Two")
    settle("posts", "threads")
    counted = thread | {"post_count": 2, "last_activity_at": second["created_at"]}
    assert anyone.get(path).expect() == counted
    ben.client.patch(f"/api/posts/{second['id']}", {"body": "Two, edited"}).expect()
    ben.client.delete(f"/api/posts/{second['id']}").expect(204)
    ben.client.delete(f"/api/posts/{second['id']}").expect(204)
    settle("posts", "threads")
    assert anyone.get(path).expect() == counted | {"post_count": 1}
    third = reply(ada, thread, "Three")
    settle("posts", "threads")
    assert anyone.get(path).expect() == thread | {
        "post_count": 2,
        "last_activity_at": third["created_at"],
    }


def test_counts_are_right_after_racing_replies_and_deletions(
    ada: Person, anyone: Client, settle: Settle
) -> None:
    thread = open_thread(ada, "Busy")
    posts = [reply(ada, thread, f"Post {number}") for number in range(5)]

    def write_or_delete(client: Client, number: int) -> Answer:
        if number % 2:
            return client.delete(f"/api/posts/{posts[number % 5]['id']}")
        return client.post("/api/posts", {"thread_id": thread["id"], "body": f"Racer {number}"})

    answers = race(ada.client, write_or_delete)
    made = [answer.expect(201) for answer in answers if answer.content]
    assert len(made) == RACERS / 2
    assert all(answer.status == 204 for answer in answers if not answer.content)
    settle("posts", "threads")
    counted = anyone.get(f"{THREADS}/{thread['id']}").expect()
    assert counted["post_count"] == len(made)
    assert counted["last_activity_at"] == max(post["created_at"] for post in made)


def test_edit_of_a_thread_shows_its_counts(ada: Person, mod: Person, settle: Settle) -> None:
    thread = open_thread(ada, "First")
    path, post = f"{THREADS}/{thread['id']}", reply(ada, thread, "One")
    settle("posts", "threads")
    counted = thread | {"post_count": 1, "last_activity_at": post["created_at"]}
    renamed = ada.client.patch(path, {"title": "Second"}).expect()
    assert renamed == counted | {"title": "Second"}
    assert mod.client.patch(path, {"locked": True}).expect() == renamed | {"locked": True}
