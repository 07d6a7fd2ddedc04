"""`/api/users/me` and `/api/users/{id}`: one's own account, profiles, roles, erasure."""

import time
from typing import Any

from tests.contract.support.client import Answer, Client
from tests.contract.support.forum import Settle
from tests.contract.support.people import CONFIRMED, PASSWORD, People, Person, sign_in
from tests.contract.support.racing import RACERS, race
from tests.contract.support.writing import NOWHERE, ODD_IDS, ODD_LINES, open_thread, reply

ME = "/api/users/me"
SESSIONS = "/api/users/sessions"
SUSPENDED = "urn:problem:suspended"
STALE = "urn:problem:stale"
WRONG_PASSWORD = "urn:problem:wrong-password"
FORMER = "former member"
ODD_CHANGES = (
    *(("display_name", odd) for odd in ("", "\t", "x" * 51, None, 7, *ODD_LINES)),
    *(("bio", odd) for odd in (None, "x" * 501, "nul\x00", "\x1b", ["a"])),
    *(("suspended", odd) for odd in ("yes", 1, None)),
    ("username", "another"),
    ("id", NOWHERE),
    ("created_at", "2020-01-01T00:00:00.000Z"),
)
ODD_ROLES = (
    ({"role": "member"}, ""),
    ({"password": PASSWORD}, ""),
    *(({"role": odd} | CONFIRMED, "role") for odd in ("admin", "", None, ["moderator"])),
    *(({"role": "member", "password": odd}, "password") for odd in ("", "x" * 129, None, 7)),
)
ODD_PASSWORDS = (
    *(("new", odd) for odd in ("", "short", "x" * 129, "nul\x00 nul\x00", None)),
    *(("current", odd) for odd in ("", 12345678, "x" * 129)),
    ("more", 1),
)


def test_user_reads_their_own_account(ada: Person, anyone: Client) -> None:
    answer = ada.client.get(ME)
    assert answer.expect() == anyone.get(ada.path).expect()
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.etag == anyone.get(ada.path).etag
    anyone.get(ME).refused(401)


def test_profile_must_be_revalidated_by_caches(ada: Person, anyone: Client) -> None:
    assert anyone.get(ada.path).headers["Cache-Control"] == "no-cache"
    assert anyone.get("/api/users").headers["Cache-Control"] == "no-cache"


def test_unknown_or_invalid_id_is_404(ada: Person, anyone: Client) -> None:
    for odd in ODD_IDS:
        path = f"/api/users/{odd}"
        anyone.get(path).refused(404)
        ada.client.patch(path, {"bio": "x"}).refused(404)
        ada.client.delete(path, CONFIRMED).refused(404)


def test_user_changes_their_profile(ada: Person, anyone: Client) -> None:
    before = anyone.get(ada.path)
    answer = ada.client.patch(ada.path, {"display_name": " Countess ", "bio": "Line\nline ü\n"})
    changed = answer.expect()
    assert changed == before.body | {"display_name": "Countess", "bio": "Line\nline ü\n"}
    assert answer.etag != before.etag
    after = anyone.get(ada.path)
    assert after.body == changed
    assert after.etag == answer.etag
    assert ada.client.patch(ada.path, {"bio": ""}).expect()["bio"] == ""
    assert ada.client.patch(ada.path, {"bio": "x" * 500}).expect()


def test_invalid_change_is_refused_and_changes_nothing(ada: Person, anyone: Client) -> None:
    before = anyone.get(ada.path)
    for field, odd in ODD_CHANGES:
        ada.client.patch(ada.path, {field: odd}).refused(400, "about:blank", field)
    for change, field in ODD_ROLES:
        ada.client.patch(ada.path, change).refused(400, "about:blank", field)
    ada.client.patch(ada.path, {}).refused(400, "about:blank", "")
    after = anyone.get(ada.path)
    assert (after.content, after.etag) == (before.content, before.etag)


def test_only_the_user_changes_their_profile(
    ada: Person, ben: Person, mod: Person, anyone: Client
) -> None:
    before = anyone.get(ada.path)
    ben.client.patch(ada.path, {"bio": "by ben"}).refused(403)
    mod.client.patch(ada.path, {"display_name": "by a moderator"}).refused(403)
    mod.client.patch(ada.path, {"bio": "x", "suspended": True}).refused(403)
    anyone.patch(ada.path, {"bio": "by nobody"}).refused(401)
    after = anyone.get(ada.path)
    assert (after.content, after.etag) == (before.content, before.etag)


def test_only_a_moderator_changes_roles_and_suspensions(
    ada: Person, ben: Person, mod: Person, anyone: Client
) -> None:
    ben.client.patch(ada.path, {"role": "moderator"} | CONFIRMED).refused(403)
    ada.client.patch(ada.path, {"role": "moderator"} | CONFIRMED).refused(403)
    ada.client.patch(ada.path, {"suspended": False}).refused(403)
    ada.client.patch(ada.path, {"bio": "x", "role": "moderator"} | CONFIRMED).refused(403)
    assert anyone.get(ada.path).expect()["role"] == "member"
    assert (
        mod.client.patch(ada.path, {"role": "moderator"} | CONFIRMED).expect()["role"]
        == "moderator"
    )
    assert anyone.get(ada.path).expect()["role"] == "moderator"
    assert mod.client.patch(ada.path, {"role": "member"} | CONFIRMED).expect()["role"] == "member"
    mod.client.patch(f"/api/users/{NOWHERE}", {"role": "member"} | CONFIRMED).refused(404)


def test_new_role_applies_at_once_in_users(ada: Person, ben: Person, mod: Person) -> None:
    mod.client.patch(ada.path, {"role": "moderator"} | CONFIRMED).expect()
    ada.client.patch(ben.path, {"suspended": True}).expect()
    mod.client.patch(ada.path, {"role": "member"} | CONFIRMED).expect()
    ada.client.patch(ben.path, {"suspended": False}).refused(403)


def test_suspension_is_not_public(ada: Person, mod: Person, anyone: Client) -> None:
    answer = mod.client.patch(ada.path, {"suspended": True})
    assert "suspended" not in answer.expect()
    assert "suspended" not in anyone.get(ada.path).expect()
    assert answer.etag == anyone.get(ada.path).etag


def test_suspended_user_can_sign_in_and_leave_but_not_edit(
    ada: Person, mod: Person, anyone: Client
) -> None:
    mod.client.patch(ada.path, {"suspended": True}).expect()
    ada.client.patch(ada.path, {"bio": "still here"}).refused(403, SUSPENDED)
    ada.client.get(ME).expect()
    ada.sign_in()
    ada.client.patch(ada.path, {"bio": "still here"}).refused(403, SUSPENDED)
    passwords = {"current": PASSWORD, "new": "another password"}
    ada.client.token = ada.client.put(f"{ME}/password", passwords).expect()["token"]
    mod.client.patch(ada.path, {"suspended": False}).expect()
    ada.client.patch(ada.path, {"bio": "back"}).expect()
    mod.client.patch(ada.path, {"suspended": True}).expect()
    ada.client.delete(ada.path, {"password": "another password"}).expect(202)


def test_suspended_user_cannot_write(
    ada: Person, mod: Person, anyone: Client, settle: Settle
) -> None:
    thread = open_thread(ada, "Before")
    post = reply(ada, thread, "Before")
    mod.client.patch(ada.path, {"suspended": True}).expect()
    settle("users", "threads", "posts")
    path, post_path = f"/api/threads/{thread['id']}", f"/api/posts/{post['id']}"

    def try_everything() -> None:
        ada.client.post("/api/threads", {"title": "After"}).refused(403, SUSPENDED)
        ada.client.patch(path, {"title": "After"}).refused(403, SUSPENDED)
        ada.client.delete(path).refused(403, SUSPENDED)
        new = {"thread_id": thread["id"], "body": "After"}
        ada.client.post("/api/posts", new).refused(403, SUSPENDED)
        ada.client.patch(post_path, {"body": "After"}).refused(403, SUSPENDED)
        ada.client.delete(post_path).refused(403, SUSPENDED)

    try_everything()
    ada.sign_in()
    try_everything()
    settle("posts", "threads")
    assert anyone.get(path).expect() == thread | {
        "post_count": 1,
        "last_activity_at": post["created_at"],
    }
    assert anyone.get(post_path).expect() == post


def test_reinstated_user_can_write_again(ada: Person, mod: Person, settle: Settle) -> None:
    thread = open_thread(ada, "Before")
    for suspended in (True, False):
        mod.client.patch(ada.path, {"suspended": suspended}).expect()
    settle("users", "threads", "posts")
    ada.client.patch(f"/api/threads/{thread['id']}", {"title": "After"}).expect()
    reply(ada, thread, "After")


def test_suspended_moderator_cannot_moderate(
    ada: Person, ben: Person, mod: Person, people: People, settle: Settle
) -> None:
    thread = open_thread(ada, "Calm")
    post = reply(ada, thread, "Calm words")
    other = people.moderator("other")
    other.client.patch(mod.path, {"suspended": True}).expect()
    mod.client.patch(ben.path, {"suspended": True}).refused(403, SUSPENDED)
    settle("users", "threads", "posts")
    path = f"/api/threads/{thread['id']}"
    mod.client.patch(path, {"locked": True}).refused(403, SUSPENDED)
    mod.client.delete(path).refused(403, SUSPENDED)
    mod.client.delete(f"/api/posts/{post['id']}").refused(403, SUSPENDED)


def test_password_is_replaced(ada: Person, anyone: Client) -> None:
    answer = ada.client.put(f"{ME}/password", {"current": PASSWORD, "new": "another password"})
    assert set(answer.expect()) == {"token", "expires_at", "user"}
    assert answer.headers["Cache-Control"] == "no-store"
    credentials = {"username": ada.username, "password": PASSWORD}
    anyone.post(SESSIONS, credentials).refused(401, "urn:problem:wrong-credentials")
    sign_in(anyone, ada.username, "another password")


def test_role_needs_the_moderators_password(ada: Person, mod: Person, anyone: Client) -> None:
    change = {"role": "moderator", "password": "not the password"}
    mod.client.patch(ada.path, change).refused(403, WRONG_PASSWORD)
    assert anyone.get(ada.path).expect()["role"] == "member"


def test_erasure_needs_the_password(ada: Person, anyone: Client) -> None:
    ada.client.delete(ada.path, {"password": "not the password"}).refused(403, WRONG_PASSWORD)
    ada.client.delete(ada.path, {}).refused(400, "about:blank", "password")
    ada.client.delete(ada.path).refused(415)
    anyone.get(ada.path).expect()


def test_password_needs_the_current_one(ada: Person, anyone: Client) -> None:
    change = {"current": "not the password", "new": "another password"}
    ada.client.put(f"{ME}/password", change).refused(403, WRONG_PASSWORD)
    anyone.put(f"{ME}/password", change | {"current": PASSWORD}).refused(401)
    sign_in(anyone, ada.username)


def test_invalid_new_password_is_refused(ada: Person, anyone: Client) -> None:
    fine = {"current": PASSWORD, "new": "another password"}
    for field, odd in ODD_PASSWORDS:
        change = fine | {field: odd}
        ada.client.put(f"{ME}/password", change).refused(400, "about:blank", field)
    for field in fine:
        change = {name: value for name, value in fine.items() if name != field}
        ada.client.put(f"{ME}/password", change).refused(400, "about:blank", field)
    sign_in(anyone, ada.username)


def test_outdated_edit_is_refused(ada: Person, anyone: Client) -> None:
    first = anyone.get(ada.path).etag
    answer = ada.client.patch(ada.path, {"bio": "one"}, if_match=first)
    answer.expect()
    ada.client.patch(ada.path, {"bio": "two"}, if_match=first).refused(412, STALE)
    assert anyone.get(ada.path).expect()["bio"] == "one"
    ada.client.patch(ada.path, {"bio": "two"}, if_match=answer.etag).expect()
    ada.erase(if_match=first).refused(412, STALE)
    assert anyone.get(ada.path).expect()["bio"] == "two"


def test_one_of_fifty_racing_edits_wins(ada: Person, anyone: Client) -> None:
    tag = anyone.get(ada.path).etag

    def edit(client: Client, number: int) -> Answer:
        return client.patch(ada.path, {"bio": f"racer {number}"}, if_match=tag)

    answers = race(ada.client, edit)
    assert sorted(answer.status for answer in answers) == [200] + [412] * (RACERS - 1)
    winner = next(answer for answer in answers if answer.status == 200)
    ada.client.transcript.alias(winner.body["bio"], "the winner's bio")
    after = anyone.get(ada.path)
    assert after.content == winner.content
    assert after.etag == winner.etag


def test_user_erases_their_own_account(ada: Person, anyone: Client, people: People) -> None:
    answer = ada.erase()
    assert answer.expect(202) == {"id": ada.id, "status": "erasing"}
    assert answer.headers["Cache-Control"] == "no-store"
    anyone.get(ada.path).refused(404)
    ada.client.get(ME).refused(401)
    ada.client.patch(ada.path, {"bio": "ghost"}).refused(401)
    ada.erase().refused(401)
    credentials = {"username": ada.username, "password": PASSWORD}
    anyone.post(SESSIONS, credentials).refused(401, "urn:problem:wrong-credentials")
    assert anyone.get("/api/users", ids=ada.id).expect()["items"] == []


def test_name_of_an_erased_user_is_free(ada: Person, anyone: Client) -> None:
    ada.erase().expect(202)
    new = {"username": ada.username.upper(), "password": "another password"}
    heir = anyone.post("/api/users", new).expect(201)
    assert heir["id"] != ada.id
    ada.client.get(ME).refused(401)


def test_only_the_user_can_erase_their_account(
    ada: Person, ben: Person, mod: Person, anyone: Client
) -> None:
    ben.client.delete(ada.path, CONFIRMED).refused(403)
    mod.client.delete(ada.path, CONFIRMED).refused(403)
    anyone.delete(ada.path, CONFIRMED).refused(401)
    ben.client.delete(f"/api/users/{NOWHERE}", CONFIRMED).refused(404)
    anyone.get(ada.path).expect()


def test_posts_of_an_erased_user_stay_without_their_name(
    ada: Person, ben: Person, anyone: Client, settle: Settle
) -> None:
    thread = open_thread(ada, f"Stays {anyone.transcript.mark}")
    posts = [reply(person, thread, "Stays too") for person in (ada, ben, ada)]
    ada.client.delete(f"/api/posts/{posts[2]['id']}").expect(204)
    ada.erase().expect(202)
    settle()
    former = {"id": ada.id, "display_name": FORMER}
    assert _authors(anyone, thread, posts, ada) == [former]
    listed = anyone.get(f"/api/posts/in-thread/{thread['id']}").expect()["items"]
    assert [post["author"] for post in listed] == [former, ben.author, former]
    assert [post["body"] for post in listed] == ["Stays too", "Stays too", ""]


def test_erased_user_cannot_write(ada: Person, anyone: Client, settle: Settle) -> None:
    thread = open_thread(ada, "Before")
    post = reply(ada, thread, "Before")
    ada.erase().expect(202)
    settle()
    path, post_path = f"/api/threads/{thread['id']}", f"/api/posts/{post['id']}"
    ada.client.post("/api/threads", {"title": "A ghost"}).refused(401)
    ada.client.patch(path, {"title": "A ghost"}).refused(401)
    ada.client.delete(path).refused(401)
    ada.client.post("/api/posts", {"thread_id": thread["id"], "body": "A ghost"}).refused(401)
    ada.client.patch(post_path, {"body": "A ghost"}).refused(401)
    ada.client.delete(post_path).refused(401)
    assert anyone.get(path).expect()["title"] == "Before"
    assert anyone.get(post_path).expect()["body"] == "Before"


def test_status_of_an_erasure_can_be_read(
    ada: Person, ben: Person, anyone: Client, settle: Settle
) -> None:
    reply(ada, open_thread(ada, "Stays"), "Stays too")
    anyone.get(f"{ada.path}/erasure").refused(404)
    place = ada.erase().headers["Location"]
    assert place == f"{ada.path}/erasure"
    with anyone.transcript.paused():
        # With a single component, no other has to forget the person.
        begun = anyone.get(place).expect()
        assert (begun["status"] == "erased") == (begun["finished_at"] is not None)
    settle()
    answer = anyone.get(place)
    done = answer.expect()
    assert list(done) == ["id", "status", "requested_at", "finished_at"]
    assert (done["id"], done["status"]) == (ada.id, "erased")
    assert done["finished_at"] >= done["requested_at"] == begun["requested_at"]
    assert answer.headers["Cache-Control"] == "no-cache"
    for other in (ben.id, *ODD_IDS):
        anyone.get(f"/api/users/{other}/erasure").refused(404)


def test_reused_name_belongs_to_another_user(
    ada: Person, anyone: Client, people: People, settle: Settle
) -> None:
    thread = open_thread(ada, "Before")
    post = reply(ada, thread, "Before")
    ada.erase().expect(202)
    heir = people.member("ada")
    settle()
    assert _authors(anyone, thread, [post], ada) == [
        {"id": ada.id, "display_name": "former member"}
    ]
    heir.client.patch(f"/api/threads/{thread['id']}", {"title": "Inherited"}).refused(403)
    heir.client.delete(f"/api/posts/{post['id']}").refused(403)
    assert anyone.get(f"/api/posts/by-user/{heir.id}").expect()["items"] == []
    assert open_thread(heir, "After")["author"] == heir.author


def test_rename_shows_on_everything_written(ada: Person, anyone: Client, settle: Settle) -> None:
    thread = open_thread(ada, f"Signed {anyone.transcript.mark}")
    post = reply(ada, thread, "Signed")
    assert thread["author"] == post["author"] == ada.author
    for name in ("Countess", "Countess of Lovelace"):
        ada.client.patch(ada.path, {"display_name": name}).expect()
        settle("users", "threads", "posts")
        author = {"id": ada.id, "display_name": name}
        assert _authors(anyone, thread, [post], ada) == [author]
    # A session from before is no reason to go back to the old name.
    again = open_thread(ada, "Signed anew")
    assert again["author"] == reply(ada, again, "Signed anew")["author"] == author
    ada.sign_in()
    assert open_thread(ada, "Signed a third time")["author"] == author


def test_new_session_shows_a_rename_before_any_event(ada: Person, anyone: Client) -> None:
    ada.client.patch(ada.path, {"display_name": "Countess"}).expect()
    ada.sign_in()
    thread = open_thread(ada, "Signed")
    assert thread["author"]["display_name"] == "Countess"
    assert reply(ada, thread, "Signed")["author"]["display_name"] == "Countess"


def test_rename_shows_everywhere_within_five_seconds(ada: Person, anyone: Client) -> None:
    thread = open_thread(ada, f"Signed {anyone.transcript.mark}")
    post = reply(ada, thread, "Signed")
    with anyone.transcript.paused():
        renamed = time.monotonic()
        ada.client.patch(ada.path, {"display_name": "Countess"}).expect()
        author = {"id": ada.id, "display_name": "Countess"}
        while _authors(anyone, thread, [post], ada) != [author]:
            assert time.monotonic() - renamed < 5
            time.sleep(0.05)


def _authors(
    client: Client, thread: dict[str, Any], posts: list[dict[str, Any]], person: Person
) -> list[dict[str, str]]:
    """Return the distinct representations of a person as an author."""
    shown = [client.get(f"/api/threads/{thread['id']}").expect()]
    shown += [client.get(f"/api/posts/{post['id']}").expect() for post in posts]
    for listing in (
        "/api/threads?limit=100",
        "/api/threads?sort=newest&limit=100",
        f"/api/threads?q={client.transcript.mark}",
        "/api/posts?limit=100",
        f"/api/posts/in-thread/{thread['id']}",
        f"/api/posts/by-user/{person.id}",
    ):
        shown += client.get(listing).expect()["items"]
    found: list[dict[str, str]] = []
    for one in shown:
        if one["author"]["id"] == person.id and one["author"] not in found:
            found.append(one["author"])
    return found
