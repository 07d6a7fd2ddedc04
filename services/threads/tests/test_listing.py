"""The lists of threads: their order, their pages and what they cost."""

import pytest

from chassis.clock import uuid7
from tests.support.service import pages, walk

PATH = "/api/threads"


def ids(threads):
    return [thread["id"] for thread in threads]


@pytest.mark.parametrize("query", [{}, {"sort": "activity"}, {"sort": "newest"}])
def test_new_threads_come_first(client, begin, query):
    made = [begin(f"Number {number}") for number in range(5)]
    assert ids(client.get(PATH, query_string=query).json["items"]) == made[::-1]


@pytest.mark.parametrize(("count", "limit"), [(100, 1), (100, 7), (100, 100), (1_000, 100)])
def test_walking_a_list_gives_each_thread_once_and_in_order(crowds, count, limit):
    crowd = crowds(count)
    listed = walk(crowd.client, PATH, limit=limit, sort="newest")
    assert ids(listed) == ids(sorted(crowd.threads, key=lambda one: one["id"], reverse=True))
    listed = walk(crowd.client, PATH, limit=limit)
    active = sorted(
        crowd.threads, key=lambda one: (one["last_activity_at"], one["id"]), reverse=True
    )
    assert ids(listed) == ids(active)


@pytest.mark.parametrize("query", [{}, {"sort": "newest"}, {"q": "number"}])
def test_arrivals_during_a_walk_disturb_nothing(client, begin, query):
    made = [begin(f"Number {number}") for number in range(30)]
    walked = []
    for page in pages(client, PATH, limit=4, **query):
        walked += ids(page)
        begin("Number one more")
    assert walked == made[::-1]


def test_page_shows_current_author_names(crowd, sign_in):
    shown = next(pages(crowd.client, PATH, limit=100))
    assert {thread["author"]["display_name"] for thread in shown} == set(crowd.names)


@pytest.mark.parametrize(
    ("query", "calls"),
    [
        ({}, {"Query": 4, "BatchGetItem": 1}),
        ({"sort": "newest"}, {"Query": 4, "BatchGetItem": 1}),
        ({"limit": 100}, {"Query": 4, "BatchGetItem": 1}),
        ({"q": "topic"}, {"Query": 1, "BatchGetItem": 2}),
        ({"q": "TOPIC third"}, {"Query": 2, "BatchGetItem": 2}),
        ({"q": "third seventh topic"}, {"Query": 3, "BatchGetItem": 2}),
        ({"q": "rare topic"}, {"Query": 2, "BatchGetItem": 2}),
        ({"q": "nowhere topic"}, {"Query": 2}),
        ({"q": "…"}, {}),
    ],
)
def test_cost_of_a_page_is_independent_of_the_number_of_threads(crowd, dynamo, query, calls):
    first = crowd.client.get(PATH, query_string=query)
    with dynamo.counted() as counted:
        again = crowd.client.get(PATH, query_string=query)
    assert again.json == first.json
    assert counted == calls
    if first.json["next"]:
        with dynamo.counted() as counted:
            crowd.client.get(PATH, query_string=query | {"cursor": first.json["next"]})
        assert counted == calls


@pytest.mark.parametrize("query", [{}, {"sort": "newest"}, {"q": "topic third"}])
def test_tampered_cursor_is_refused(crowd, query):
    cursor = crowd.client.get(PATH, query_string=query | {"limit": 1}).json["next"]
    other = {"q": "topic"} if query != {"q": "topic"} else {}
    for bad in (cursor[:-1] + ("A" if cursor[-1] != "A" else "B"), "x", cursor + "x", uuid7()):
        answer = crowd.client.get(PATH, query_string=query | {"cursor": bad})
        assert answer.status_code == 400
        assert answer.json["errors"] == [
            {"field": "cursor", "message": "is not a valid cursor for this list"}
        ]
    answer = crowd.client.get(PATH, query_string=other | {"cursor": cursor})
    assert answer.status_code == 400


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"limit": "0"}, "limit"),
        ({"limit": "101"}, "limit"),
        ({"limit": "1.0"}, "limit"),
        ({"sort": "oldest"}, "sort"),
        ({"page": "2"}, "page"),
        ({"q": "x" * 121}, "q"),
        ({"q": "1 2 3 4 5 6 7 8 9"}, "q"),
        ({"q": "x", "sort": "activity"}, "sort"),
    ],
)
def test_invalid_query_is_refused(client, query, field):
    answer = client.get(PATH, query_string=query)
    assert answer.status_code == 400
    assert [error["field"] for error in answer.json["errors"]] == [field]
