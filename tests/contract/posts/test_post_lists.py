"""Lists of posts: over everything, in a thread, by a person."""

from tests.contract.support.client import Client
from tests.contract.support.forum import Settle
from tests.contract.support.paging import walk
from tests.contract.support.people import Person
from tests.contract.support.selection import at_both_sides
from tests.contract.support.writing import NOWHERE, open_thread, reply

POSTS = "/api/posts"


def _ids(items: list[dict[str, str]]) -> list[str]:
    return [item["id"] for item in items]


@at_both_sides
def test_posts_are_listed_newest_first_to_the_end(ada: Person, ben: Person, anyone: Client) -> None:
    threads = open_thread(ada, "One"), open_thread(ben, "Another")
    made = [reply(person, thread, "Hello") for thread in threads for person in (ada, ben)]
    listed = walk(anyone, POSTS, limit=100)
    assert [post for post in listed if post["id"] in _ids(made)] == made[::-1]
    assert _ids(listed) == sorted(set(_ids(listed)), reverse=True)
    page = anyone.get(POSTS, limit=4).expect()
    assert page["items"] == made[::-1]
    assert list(page) == ["items", "next"]


def test_thread_is_read_from_its_beginning(ada: Person, ben: Person, anyone: Client) -> None:
    thread, other = open_thread(ada, "One"), open_thread(ada, "Another")
    made = [reply(person, thread, "Hello") for person in (ada, ben, ada, ben, ada)]
    reply(ben, other, "Elsewhere")
    path = f"{POSTS}/in-thread/{thread['id']}"
    assert anyone.get(path).expect() == {"items": made, "next": None}
    assert anyone.get(path, order="asc").expect()["items"] == made
    assert walk(anyone, path, limit=2) == made
    assert walk(anyone, path, limit=1) == made


def test_thread_is_read_from_its_end(ada: Person, ben: Person, anyone: Client) -> None:
    thread = open_thread(ada, "One")
    made = [reply(person, thread, "Hello") for person in (ada, ben, ada, ben, ada)]
    path = f"{POSTS}/in-thread/{thread['id']}"
    assert anyone.get(path, order="desc").expect() == {"items": made[::-1], "next": None}
    assert walk(anyone, path, order="desc", limit=2) == made[::-1]


def test_full_last_page_has_no_next(ada: Person, anyone: Client) -> None:
    thread = open_thread(ada, "One")
    made = [reply(ada, thread, f"Post {number}") for number in range(4)]
    path = f"{POSTS}/in-thread/{thread['id']}"
    for order in ("asc", "desc"):
        first = anyone.get(path, limit=2, order=order).expect()
        second = anyone.get(path, limit=2, order=order, cursor=first["next"]).expect()
        assert first["items"] + second["items"] == (made if order == "asc" else made[::-1])
        assert second["next"] is None
    assert anyone.get(f"{POSTS}/by-user/{ada.id}", limit=4).expect()["next"] is None


def test_next_page_continues_after_the_cursor_despite_new_items(
    ada: Person, anyone: Client
) -> None:
    thread = open_thread(ada, "One")
    made = [reply(ada, thread, f"Post {number}") for number in range(4)]
    path = f"{POSTS}/in-thread/{thread['id']}"
    old = anyone.get(path, limit=2).expect()
    new = anyone.get(path, limit=2, order="desc").expect()
    later = reply(ada, thread, "Meanwhile")
    rest = anyone.get(path, limit=5, cursor=old["next"]).expect()["items"]
    assert old["items"] + rest == [*made, later]
    rest = anyone.get(path, limit=5, order="desc", cursor=new["next"]).expect()["items"]
    assert new["items"] + rest == made[::-1]


def test_empty_thread_has_no_posts_and_an_unknown_one_is_404(ada: Person, anyone: Client) -> None:
    thread = open_thread(ada, "Empty")
    empty: dict[str, object] = {"items": [], "next": None}
    assert anyone.get(f"{POSTS}/in-thread/{thread['id']}").expect() == empty
    for order in ("asc", "desc"):
        anyone.get(f"{POSTS}/in-thread/{NOWHERE}", order=order).refused(404)
    for odd in (NOWHERE.upper(), "1", "x" * 65, "a.b", "%20", "ü"):
        anyone.get(f"{POSTS}/in-thread/{odd}").refused(404)


def test_empty_thread_that_was_deleted_is_not_found(
    ada: Person, anyone: Client, settle: Settle
) -> None:
    thread = open_thread(ada, "Empty")
    ada.client.delete(f"/api/threads/{thread['id']}").expect(204)
    settle("threads", "posts")
    anyone.get(f"{POSTS}/in-thread/{thread['id']}").refused(404)


def test_posts_of_a_user_are_listed_newest_first(ada: Person, ben: Person, anyone: Client) -> None:
    threads = open_thread(ada, "One"), open_thread(ben, "Another")
    made = [reply(ada, thread, "Mine") for thread in threads * 2]
    reply(ben, threads[0], "Not mine")
    path = f"{POSTS}/by-user/{ada.id}"
    assert anyone.get(path).expect() == {"items": made[::-1], "next": None}
    assert walk(anyone, path, limit=1) == made[::-1]


def test_deleted_post_is_listed_in_its_thread_only(ada: Person, anyone: Client) -> None:
    thread = open_thread(ada, "One")
    posts = [reply(ada, thread, f"Post {number}") for number in range(3)]
    ada.client.delete(f"{POSTS}/{posts[1]['id']}").expect(204)
    gone = anyone.get(f"{POSTS}/{posts[1]['id']}").expect()
    in_thread = anyone.get(f"{POSTS}/in-thread/{thread['id']}").expect()["items"]
    assert in_thread == [posts[0], gone, posts[2]]
    for path in (POSTS, f"{POSTS}/by-user/{ada.id}"):
        assert anyone.get(path, limit=2).expect()["items"] == [posts[2], posts[0]]


def test_user_without_posts_has_an_empty_list(ben: Person, anyone: Client) -> None:
    nothing: dict[str, object] = {"items": [], "next": None}
    for user_id in (ben.id, NOWHERE, "1", "nobody"):
        assert anyone.get(f"{POSTS}/by-user/{user_id}").expect() == nothing


def test_invalid_user_id_is_404(anyone: Client) -> None:
    for odd in ("x" * 65, "a.b", "%20", "ü", ""):
        anyone.get(f"{POSTS}/by-user/{odd}").refused(404)


def test_invalid_order_is_refused(ada: Person, anyone: Client) -> None:
    path = f"{POSTS}/in-thread/{open_thread(ada, 'One')['id']}"
    for odd in ("", "up", "ASC", "random"):
        anyone.get(path, order=odd).refused(400, "about:blank", "order")
    anyone.get(POSTS, order="desc").refused(400, "about:blank", "order")
    anyone.get(f"{POSTS}/by-user/{ada.id}", order="asc").refused(400, "about:blank", "order")
