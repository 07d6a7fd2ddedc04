"""The lists of posts: their order, their pages and what they cost."""

import pytest

from chassis.clock import uuid7
from chassis.pagination import Cursors
from posts.model import MAX_PAGE_SIZE
from tests.support.people import SECRET_KEY
from tests.support.service import pages, walk

PATH = "/api/posts"
# Unknown ids, the same in each of pytest-xdist's workers.
NOBODY = "01900000-0000-7000-8000-000000000000"
PAGE = 50


def ids(posts):
    return [post["id"] for post in posts]


@pytest.fixture
def lists(ada, thread):
    """The lists that all of Ada's posts in the thread are in."""
    return {
        "all": (PATH, {}),
        "thread": (f"{PATH}/in-thread/{thread}", {}),
        "thread, newest first": (f"{PATH}/in-thread/{thread}", {"order": "desc"}),
        "person": (f"{PATH}/by-user/{ada.id}", {}),
    }


LISTS = ("all", "thread", "thread, newest first", "person")


@pytest.mark.parametrize("name", LISTS)
def test_lists_are_in_order(client, lists, write, name):
    made = [write(f"Number {number}") for number in range(5)]
    path, query = lists[name]
    if name != "thread":
        made.reverse()
    assert ids(client.get(path, query_string=query).json["items"]) == made
    for limit in (1, 2, 5, 6):
        assert ids(walk(client, path, limit=limit, **query)) == made


def test_lists_hold_the_matching_posts(client, ada, bob, threads, thread, write):
    other = threads.begin()
    mine, bobs, elsewhere = write("1", ada), write("2", bob), write("3", ada, other)
    assert ids(walk(client, PATH)) == [elsewhere, bobs, mine]
    assert ids(walk(client, f"{PATH}/in-thread/{thread}")) == [mine, bobs]
    assert ids(walk(client, f"{PATH}/in-thread/{other}")) == [elsewhere]
    assert ids(walk(client, f"{PATH}/by-user/{ada.id}")) == [elsewhere, mine]
    assert ids(walk(client, f"{PATH}/by-user/{bob.id}")) == [bobs]
    assert walk(client, f"{PATH}/by-user/{uuid7()}") == []


@pytest.mark.parametrize("name", LISTS)
def test_arrivals_during_a_walk_disturb_nothing(client, lists, write, name):
    made = [write(f"Number {number}") for number in range(30)]
    path, query = lists[name]
    walked, arrived = [], []
    for page in pages(client, path, limit=4, **query):
        walked += ids(page)
        if len(arrived) < 5:
            arrived.append(write("One more"))
    # In ascending order, new posts appear on later pages; in descending order, they don't.
    assert walked == (made + arrived if name == "thread" else made[::-1])


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize(("count", "limit"), [(100, 1), (100, 7), (100, 100), (1_000, 100)])
def test_walking_a_thread_from_either_end_gives_each_post_once(crowds, count, limit, order):
    crowd = crowds(count)
    path = f"{PATH}/in-thread/{crowd.thread_id}"
    listed = ids(walk(crowd.client, path, limit=limit, order=order))
    assert listed == ids(crowd.posts)[:: 1 if order == "asc" else -1]


def test_walking_the_other_lists_gives_each_post_once(crowd):
    newest_first = ids(crowd.posts)[::-1]
    assert ids(walk(crowd.client, PATH, limit=100)) == newest_first
    author = crowd.authors[3].id
    of_author = [post["id"] for post in crowd.posts[::-1] if post["author"]["id"] == author]
    assert ids(walk(crowd.client, f"{PATH}/by-user/{author}", limit=100)) == of_author


@pytest.mark.parametrize("deepest", [False, True])
@pytest.mark.parametrize(
    ("listing", "calls"),
    [
        ("posts", {"Query": 4, "BatchGetItem": 1}),
        ("posts:in-thread:{thread}:asc", {"Query": 1, "BatchGetItem": 1}),
        ("posts:in-thread:{thread}:desc", {"Query": 1, "BatchGetItem": 1}),
        ("posts:by-user:{author}", {"Query": 1, "BatchGetItem": 1}),
    ],
)
def test_cost_of_a_page_is_independent_of_the_number_of_posts(
    crowds, dynamo, listing, calls, deepest
):
    for count in (100, 1_000):
        crowd = crowds(count)
        author = crowd.authors[0].id
        name = listing.format(thread=crowd.thread_id, author=author)
        posts = crowd.posts
        if "by-user" in name:
            posts = [post for post in posts if post["author"]["id"] == author]
        ascending = name.endswith("asc")
        expected = ids(posts)[:: 1 if ascending else -1]
        query = {"limit": PAGE}
        if ascending or name.endswith("desc"):
            query["order"] = name.rpartition(":")[2]
        if deepest and len(expected) > PAGE:
            expected = expected[-PAGE - 1 :]
            query["cursor"] = Cursors(SECRET_KEY).encode(name, (expected.pop(0),))
        path = "/api/" + "/".join(name.split(":")[:3])
        with dynamo.counted() as counted:
            answer = crowd.client.get(path, query_string=query)
        assert ids(answer.json["items"]) == expected[:PAGE]
        assert (answer.json["next"] is None) == (len(expected) <= PAGE)
        assert counted == calls


@pytest.mark.parametrize("name", LISTS)
def test_long_posts_make_a_page_shorter(client, lists, write, name):
    made = [write("x" * 16_000) for _ in range(20)]
    path, query = lists[name]
    first, second = pages(client, path, limit=100, **query)
    assert ids(first + second) == (made if name == "thread" else made[::-1])
    length, following = (
        sum(len(post["body"] + post["html"]) for post in some) for some in (first, second[:1])
    )
    assert length <= MAX_PAGE_SIZE < length + following


def test_page_makes_no_call_to_another_component(client, threads, thread, write):
    write()
    threads.asked.clear()
    threads.stop()
    for path in (PATH, f"{PATH}/in-thread/{thread}"):
        assert len(client.get(path).json["items"]) == 1
    assert threads.asked == []


def test_post_is_read_by_its_id_in_three_calls(crowd, dynamo):
    post = crowd.posts[-1]
    with dynamo.counted() as counted:
        assert crowd.client.get(f"{PATH}/{post['id']}").json["id"] == post["id"]
    assert counted == {"GetItem": 2, "BatchGetItem": 1}


def test_page_shows_current_author_names(crowd):
    shown = next(pages(crowd.client, f"{PATH}/in-thread/{crowd.thread_id}", limit=100))
    names = {author.id: author.display_name for author in crowd.authors}
    assert {post["author"]["id"]: post["author"]["display_name"] for post in shown} == names


def test_empty_thread_is_an_empty_list(client, threads, thread):
    for order in ("asc", "desc"):
        answer = client.get(f"{PATH}/in-thread/{thread}", query_string={"order": order})
        assert (answer.status_code, answer.json) == (200, {"items": [], "next": None})
    threads.lock(thread)
    assert client.get(f"{PATH}/in-thread/{thread}").status_code == 200


@pytest.mark.parametrize("thread_id", [NOBODY, "x", "x" * 64])
def test_unknown_thread_is_404(client, thread_id):
    answer = client.get(f"{PATH}/in-thread/{thread_id}")
    assert answer.status_code == 404
    assert answer.json["detail"] == "Thread not found."


def test_empty_list_of_an_unknown_thread_is_503_without_threads(client, threads, thread):
    threads.stop()
    answer = client.get(f"{PATH}/in-thread/{thread}")
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]


def test_empty_later_page_makes_no_call(client, threads, thread, write):
    last = write()
    threads.asked.clear()
    cursor = Cursors(SECRET_KEY).encode(f"posts:in-thread:{thread}:asc", (last,))
    answer = client.get(f"{PATH}/in-thread/{thread}", query_string={"cursor": cursor})
    assert answer.json == {"items": [], "next": None}
    assert threads.asked == []


@pytest.mark.parametrize(("count", "batches"), [(99, 1), (100, 2)])
def test_page_by_a_hundred_authors_names_them_all(
    client, sign_in, thread, write, dynamo, count, batches
):
    people = [sign_in(f"Person {number}") for number in range(count)]
    posts = [write("Me too", person) for person in people]
    with dynamo.counted() as counted:
        page = client.get(f"{PATH}/in-thread/{thread}", query_string={"limit": 100}).json
    assert counted == {"Query": 1, "BatchGetItem": batches}
    shown = [(post["id"], post["author"]["display_name"]) for post in page["items"]]
    assert shown == [(post, person.name) for post, person in zip(posts, people, strict=True)]


def test_tampered_or_foreign_cursor_is_refused(client, lists, bob, threads, write):
    other = threads.begin()
    for number in range(3):
        write(f"Number {number}")
        write(f"Number {number}", bob)
        write(f"Number {number}", bob, other)
    every = [
        *lists.values(),
        (f"{PATH}/in-thread/{other}", {}),
        (f"{PATH}/by-user/{bob.id}", {}),
    ]
    cursors = [client.get(path, query_string=q | {"limit": 1}).json["next"] for path, q in every]
    assert len(set(cursors)) == len(every)
    for position, (path, query) in enumerate(every):
        right = cursors[position]
        flipped = ("B" if right[0] == "A" else "A") + right[1:]
        wrong = [*cursors[:position], *cursors[position + 1 :], flipped, right + "x", "x", uuid7()]
        for cursor in wrong:
            answer = client.get(path, query_string=query | {"cursor": cursor})
            assert answer.status_code == 400
            assert answer.json["errors"] == [
                {"field": "cursor", "message": "is not a valid cursor for this list"}
            ]
        answer = client.get(path, query_string=query | {"cursor": right})
        assert answer.status_code == 200


@pytest.mark.parametrize(
    ("path", "query", "field"),
    [
        (PATH, {"limit": "0"}, "limit"),
        (PATH, {"limit": "101"}, "limit"),
        (PATH, {"limit": "1.0"}, "limit"),
        (PATH, {"order": "asc"}, "order"),
        (f"{PATH}/in-thread/x", {"order": "up"}, "order"),
        (f"{PATH}/in-thread/x", {"order": ""}, "order"),
        (f"{PATH}/in-thread/x", {"page": "2"}, "page"),
        (f"{PATH}/by-user/x", {"order": "asc"}, "order"),
        (f"{PATH}/by-user/x", {"limit": "x"}, "limit"),
    ],
)
def test_invalid_query_is_refused(client, path, query, field):
    answer = client.get(path, query_string=query)
    assert answer.status_code == 400
    assert [error["field"] for error in answer.json["errors"]] == [field]
