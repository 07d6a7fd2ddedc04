"""Finding threads by the words of their titles."""

import pytest

from tests.support.service import pages, walk
from threads.dynamodb import store

PATH = "/api/threads"


def found(client, q, **query):
    return [thread["title"] for thread in walk(client, PATH, q=q, **query)]


@pytest.fixture
def library(begin):
    for title in (
        "Splitting the monolith",
        "Why we kept the monolith",
        "Splitting hairs",
        "MONOLITH: the film",
        "Straße or Strasse?",
        "Ｗｉｄｅ letters",
    ):
        begin(title)


@pytest.mark.parametrize(
    ("q", "titles"),
    [
        ("monolith", ["MONOLITH: the film", "Why we kept the monolith", "Splitting the monolith"]),
        ("the monolith splitting", ["Splitting the monolith"]),
        ("Splitting", ["Splitting hairs", "Splitting the monolith"]),
        ("split", []),
        ("monolith hairs", []),
        ("STRASSE", ["Straße or Strasse?"]),
        ("wide", ["Ｗｉｄｅ letters"]),
        ("letters, letters!", ["Ｗｉｄｅ letters"]),
        ("!!!", []),
        ("   ", []),
    ],
)
@pytest.mark.usefixtures("library")
def test_threads_are_found_by_all_their_words_newest_first(client, q, titles):
    assert found(client, q) == titles
    assert found(client, q, sort="newest", limit=1) == titles


@pytest.mark.parametrize(("q", "count"), [("monolith", 3), ("the monolith", 3), ("wide", 1)])
@pytest.mark.usefixtures("library")
def test_full_last_page_of_a_search_has_no_next_one(client, q, count):
    answer = client.get(PATH, query_string={"q": q, "limit": count})
    assert (len(answer.json["items"]), answer.json["next"]) == (count, None)


def test_page_that_needs_several_rounds_repeats_no_thread(client, begin, monkeypatch):
    monkeypatch.setattr(store, "BATCH", 2)
    titles = [f"red blue {number}" for number in range(9)]
    for title in titles:
        begin(title)
    assert found(client, "red blue") == titles[::-1]


@pytest.mark.usefixtures("library")
def test_empty_search_lists_everything(client):
    assert len(found(client, "")) == 6


def test_new_title_is_found_and_the_old_one_is_not(client, ada, begin):
    thread = begin("Red green")
    client.patch(f"{PATH}/{thread}", json={"title": "Green blue"}, headers=ada.headers)
    assert found(client, "red") == []
    assert found(client, "green") == found(client, "blue") == ["Green blue"]


def test_lock_changes_nothing_about_the_search(client, moderator, begin):
    thread = begin("Still here")
    client.patch(f"{PATH}/{thread}", json={"locked": True}, headers=moderator.headers)
    assert found(client, "still here") == ["Still here"]


def test_title_of_many_words_can_be_written_changed_and_deleted(client, ada, begin):
    many = " ".join(chr(0x4E00 + number) for number in range(60))
    others = " ".join(chr(0x5E00 + number) for number in range(60))
    thread = begin(many)
    assert found(client, many[:15]) == [many]
    path = f"{PATH}/{thread}"
    assert client.patch(path, json={"title": others}, headers=ada.headers).status_code == 200
    assert found(client, many[:15]) == []
    assert found(client, others[:15]) == [others]
    assert client.delete(path, headers=ada.headers).status_code == 204


def test_very_long_word_is_found_as_a_whole(client, begin):
    # NFKC expands each to six letters: more bytes than DynamoDB allows in a key.
    for word in ("x" * 120, "\u3316" * 120):
        begin(word)
        assert found(client, word) == [word]
        assert found(client, word[:110]) == []


@pytest.mark.parametrize(("count", "limit"), [(100, 1), (100, 20), (1_000, 100)])
@pytest.mark.parametrize(
    "q", ["seventh", "third seventh", "even third seventh", "odd rare", "rare", "even odd"]
)
def test_intersection_is_complete_and_in_order(crowds, q, count, limit):
    crowd = crowds(count)
    wanted = set(q.split())
    expected = [
        thread["id"]
        for thread in sorted(crowd.threads, key=lambda one: one["id"], reverse=True)
        if wanted <= set(thread["title"].lower().split())
    ]
    assert [thread["id"] for thread in walk(crowd.client, PATH, q=q, limit=limit)] == expected


@pytest.mark.parametrize("q", ["even odd", "even third seventh topic", "rare even odd third"])
def test_cost_of_a_search_page_is_bounded(crowd, dynamo, q):
    walked = pages(crowd.client, PATH, q=q, limit=100)
    while True:
        with dynamo.counted() as calls:
            page = next(walked, None)
        if page is None:
            return
        assert calls["Query"] <= len(q.split()) + 2
        assert calls["BatchGetItem"] <= 4
        assert calls.total() == calls["Query"] + calls["BatchGetItem"]
