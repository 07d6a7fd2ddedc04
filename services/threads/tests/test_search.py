"""Finding threads by the words of their titles."""

import pytest

from chassis.clock import utc_now
from chassis.errors import Unavailable
from tests.support.service import pages, race, walk
from threads.dynamodb import store
from threads.dynamodb.postings import Postings, title_keys
from threads.dynamodb.records import ThreadRecords

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
        ("mono split", ["Splitting the monolith"]),
        ("litting", []),
        ("le", []),
        ("monolith", ["MONOLITH: the film", "Why we kept the monolith", "Splitting the monolith"]),
        ("the monolith splitting", ["Splitting the monolith"]),
        ("Splitting", ["Splitting hairs", "Splitting the monolith"]),
        ("split", ["Splitting hairs", "Splitting the monolith"]),
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


@pytest.mark.parametrize(
    ("title", "queries", "others"),
    [
        ("如何设计分布式系统", ["分布", "分布式系统", "系", "设计 系统"], ["布分", "系设"]),
        ("新しいスレッドを立てる猫", ["スレッド", "ｽﾚｯﾄﾞ", "猫", "立てる"], ["レス", "る"]),
        ("เรียนภาษาไทยที่บ้าน", ["ภาษา", "ไทย", "ที่บ้าน"], ["จีน", "ย"]),
        ("한국어를 배우다", ["국어", "배"], ["어국"]),
        ("Café Škoda, Ærø, İstanbul", ["cafe", "CAFÉ", "skod", "aero", "ISTANBUL"], ["af", "ca"]),
        ("Ёлка и мой дом", ["елка", "ёлк", "мой"], ["мои"]),
        ("हिन्दी में लिखना", ["हिन्", "लिखना"], ["दी"]),
        ("مُحَمَّد أحمد", ["محمد", "احم"], ["حمد"]),
        ("AI技術2026年 🎉", ["技術", "ai 2026", "🎉 技術"], ["🎉", "…!"]),
    ],
)
def test_titles_of_each_script_are_found_by_their_words(client, begin, title, queries, others):
    begin(title)
    begin("Something else")
    for query in queries:
        assert found(client, query) == [title], query
    for query in others:
        assert found(client, query) == [], query


def _postings(database):
    return {(item["word"], item["thread_id"]) for item in database.scan("threads-words", None)[0]}


def _long_title(first):
    return "".join(chr(first + number) for number in range(120))


def test_long_titles_can_be_written_changed_and_deleted(client, ada, begin, database):
    many, others = _long_title(0x4E00), _long_title(0x5E00)
    thread = begin(many)
    assert found(client, many[:15]) == [many]
    path = f"{PATH}/{thread}"
    assert client.patch(path, json={"title": others}, headers=ada.headers).status_code == 200
    assert found(client, many[:15]) == []
    assert found(client, others[:15]) == [others]
    assert _postings(database) == {(key, thread) for key in title_keys(others)}
    assert client.delete(path, headers=ada.headers).status_code == 204
    assert _postings(database) == set()


def test_rest_of_old_postings_spares_those_of_a_newer_title(begin, database):
    thread = begin("Red green")
    Postings(database).remove_rest(thread, frozenset({"red", "blue"}) | title_keys("Green"))
    assert _postings(database) == {(key, thread) for key in title_keys("Red green")}
    database.put_items("threads-words", [{"word": "stray", "thread_id": thread}])
    Postings(database).remove_rest(thread, frozenset({"stray", "red"}))
    assert _postings(database) == {(key, thread) for key in title_keys("Red green")}


def test_concurrent_changes_of_long_titles_leave_one_title(app, ada, begin, database):
    titles = [_long_title(0x4E00 + 200 * number) for number in range(8)]
    thread = begin(titles[0])

    def rename(client, number):
        title = {"title": titles[number % 8]}
        return client.patch(f"{PATH}/{thread}", json=title, headers=ada.headers)

    assert {answer.status_code for answer in race(app, rename)} == {200}
    title = app.test_client().get(f"{PATH}/{thread}").json["title"]
    assert _postings(database) == {(key, thread) for key in title_keys(title)}


def test_failed_removal_of_the_rest_fails_no_change(client, ada, begin, monkeypatch):
    def fail(*_):
        detail = "The database is unreachable."
        raise Unavailable(detail)

    monkeypatch.setattr(Postings, "remove_rest", fail)
    many, others = _long_title(0x4E00), _long_title(0x5E00)
    path = f"{PATH}/{begin(many)}"
    assert client.patch(path, json={"title": others}, headers=ada.headers).status_code == 200
    assert found(client, many[:15]) == found(client, many[-3:]) == []
    assert found(client, others[:15]) == [others]


def test_record_of_a_long_title_replaces_all_postings(begin, database):
    thread = begin(_long_title(0x4E00))
    records = ThreadRecords(database, utc_now)
    changed = records.read_many([thread])[thread] | {"version": 2, "title": _long_title(0x5E00)}
    records.write([changed])
    assert _postings(database) == {(key, thread) for key in title_keys(changed["title"])}


def test_word_is_compared_by_its_first_64_characters(client, begin):
    # NFKC expands each to six letters: more bytes than DynamoDB allows in a key.
    for word in ("x" * 120, "\u3316" * 120):
        begin(word)
        assert found(client, word) == found(client, word[:110]) == [word]
        assert found(client, word[:30] + "z") == []


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
