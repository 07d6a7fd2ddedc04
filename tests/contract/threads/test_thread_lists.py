"""`GET /api/threads`: by activity, by age, and found by words of the title."""

from tests.contract.support.client import Client
from tests.contract.support.forum import Settle
from tests.contract.support.paging import walk
from tests.contract.support.people import Person
from tests.contract.support.selection import at_both_sides
from tests.contract.support.writing import open_thread, reply

THREADS = "/api/threads"


def _ids(items: list[dict[str, str]]) -> list[str]:
    return [item["id"] for item in items]


@at_both_sides
def test_threads_are_listed_newest_first_to_the_end(ada: Person, anyone: Client) -> None:
    made = [open_thread(ada, f"Thread {number}")["id"] for number in range(5)]
    listed = _ids(walk(anyone, THREADS, sort="newest", limit=100))
    assert [thread_id for thread_id in listed if thread_id in made] == made[::-1]
    assert listed == sorted(set(listed), reverse=True)
    small = _ids(walk(anyone, THREADS, sort="newest", limit=7))
    assert small == listed


def test_latest_activity_comes_first_by_default(
    ada: Person, anyone: Client, settle: Settle
) -> None:
    # What others wrote must not move threads from page to page.
    settle("posts", "threads")
    made = [open_thread(ada, f"Thread {number}") for number in range(3)]
    page = anyone.get(THREADS, limit=3).expect()
    assert page["items"] == made[::-1]
    assert page == anyone.get(THREADS, sort="activity", limit=3).expect()
    assert list(page) == ["items", "next"]
    listed = walk(anyone, THREADS, limit=100)
    assert len(listed) == len({item["id"] for item in listed})
    times = [item["last_activity_at"] for item in listed]
    assert times == sorted(times, reverse=True)


def test_reply_brings_a_thread_to_the_top(
    ada: Person, ben: Person, anyone: Client, settle: Settle
) -> None:
    old, new = open_thread(ada, "Old"), open_thread(ada, "New")
    assert _ids(anyone.get(THREADS, limit=2).expect()["items"]) == _ids([new, old])
    reply(ben, old, "Up")
    settle("posts", "threads")
    assert _ids(anyone.get(THREADS, limit=2).expect()["items"]) == _ids([old, new])
    by_age = anyone.get(THREADS, limit=2, sort="newest").expect()["items"]
    assert _ids(by_age) == _ids([new, old])


def test_only_a_new_post_moves_a_thread(
    ada: Person, ben: Person, mod: Person, anyone: Client, settle: Settle
) -> None:
    threads = [open_thread(ada, f"Thread {number}") for number in range(3)]
    posts = [reply(ben, thread, "First") for thread in threads]
    ben.client.patch(f"/api/posts/{posts[0]['id']}", {"body": "Edited"}).expect()
    mod.client.delete(f"/api/posts/{posts[1]['id']}").expect(204)
    settle("posts", "threads")
    mod.client.patch(f"{THREADS}/{threads[0]['id']}", {"locked": True}).expect()
    ada.client.patch(f"{THREADS}/{threads[1]['id']}", {"title": "Renamed"}).expect()
    listed = anyone.get(THREADS, limit=3).expect()["items"]
    assert _ids(listed) == _ids(threads[::-1])
    assert [thread["post_count"] for thread in listed] == [1, 0, 1]
    times = [thread["last_activity_at"] for thread in listed]
    assert times == [post["created_at"] for post in posts[::-1]]


def test_every_list_shows_a_thread_as_it_reads_alone(
    ada: Person, ben: Person, anyone: Client, settle: Settle
) -> None:
    word = anyone.transcript.mark
    thread = open_thread(ada, f"Seen {word}")
    for person in (ada, ben):
        reply(person, thread, "A post")
    settle("posts", "threads")
    alone = anyone.get(f"{THREADS}/{thread['id']}").expect()
    assert alone["post_count"] == 2
    for target in (f"{THREADS}?limit=1", f"{THREADS}?limit=1&sort=newest", f"{THREADS}?q={word}"):
        assert anyone.get(target).expect()["items"] == [alone]


def test_small_pages_add_up_to_a_large_one(ada: Person, anyone: Client) -> None:
    for number in range(6):
        open_thread(ada, f"Thread {number}")
    for sort in ("newest", "activity"):
        whole = anyone.get(THREADS, sort=sort, limit=6).expect()["items"]
        first = anyone.get(THREADS, sort=sort, limit=4).expect()
        second = anyone.get(THREADS, sort=sort, limit=2, cursor=first["next"]).expect()
        assert first["items"] + second["items"] == whole


def test_next_page_continues_after_the_cursor_despite_new_items(
    ada: Person, anyone: Client
) -> None:
    older = [open_thread(ada, f"Thread {number}") for number in range(4)]
    for sort in ("newest", "activity"):
        first = anyone.get(THREADS, sort=sort, limit=2).expect()
        newer = open_thread(ada, "Meanwhile")
        second = anyone.get(THREADS, sort=sort, limit=2, cursor=first["next"]).expect()
        seen = _ids(first["items"] + second["items"])
        assert newer["id"] not in seen
        assert len(set(seen)) == 4
        if sort == "newest":
            assert seen == _ids(older[::-1])


def test_default_page_has_twenty_threads(ada: Person, anyone: Client) -> None:
    for number in range(21):
        open_thread(ada, f"Thread {number}")
    for target in (THREADS, f"{THREADS}?sort=newest"):
        page = anyone.get(target).expect()
        assert len(page["items"]) == 20
        assert page["next"]


def test_edited_title_keeps_its_position_in_lists(ada: Person, anyone: Client) -> None:
    old, new = open_thread(ada, "Old"), open_thread(ada, "New")
    ada.client.patch(f"{THREADS}/{old['id']}", {"title": "Old, edited"}).expect()
    for sort in ("newest", "activity"):
        items = anyone.get(THREADS, sort=sort, limit=2).expect()["items"]
        assert items == [new, old | {"title": "Old, edited"}]


def test_deleted_thread_is_in_no_list(ada: Person, anyone: Client) -> None:
    word = anyone.transcript.mark
    thread = open_thread(ada, f"Gone {word}")
    ada.client.delete(f"{THREADS}/{thread['id']}").expect(204)
    assert anyone.get(THREADS, q=word).expect()["items"] == []
    for sort in ("newest", "activity"):
        items = anyone.get(THREADS, sort=sort, limit=100).expect()["items"]
        assert thread["id"] not in _ids(items)


def test_titles_are_searched_by_beginnings_newest_first(ada: Person, anyone: Client) -> None:
    word = anyone.transcript.mark
    first = open_thread(ada, f"Splitting {word}: the Strangler fig")
    second = open_thread(ada, f"the fig and {word}s")
    open_thread(ada, f"xx{word} is another word")

    def found(q: str) -> list[str]:
        return _ids(anyone.get(THREADS, q=q).expect()["items"])

    assert found(word) == _ids([second, first])
    assert found(word.upper()) == _ids([second, first])
    assert found(f"  {word}, fig!  ") == _ids([second, first])
    assert found(f"strangler {word}") == _ids([first])
    assert found(f"{word} {word} FIG strangler") == _ids([first])
    assert found(f"strang {word}") == _ids([first])
    assert found(f"{word}s") == _ids([second])
    assert found(f"{word} an") == []
    assert found(f"rangler {word}") == []
    assert found(f"{word} nowhere") == []


def test_search_covers_other_scripts_and_normal_forms(ada: Person, anyone: Client) -> None:
    word = anyone.transcript.mark
    thread = open_thread(ada, f"Straße ｆｕｌｌ 日本語 naïve_case 2026 {word}")
    for query in ("STRASSE", "straße", "full", "ＦＵＬＬ", "日本語", "NAÏVE_CASE", "2026"):
        items = anyone.get(THREADS, q=f"{word} {query}").expect()["items"]
        assert _ids(items) == [thread["id"]], query


def test_search_finds_words_of_each_script(ada: Person, anyone: Client) -> None:
    word = anyone.transcript.mark
    for title, queries, others in (
        ("如何设计分布式系统", ("分布式", "系统 设计", "何"), ("布分",)),
        ("新しいスレッドを立てる猫", ("ｽﾚｯﾄﾞ", "猫", "立てる"), ("レス", "る")),
        ("เรียนภาษาไทย", ("ภาษา", "ไทย"), ("จีน", "ย")),
        ("Café İstanbul Ångström Straße", ("cafe", "istanb", "ANGS", "strass"), ("ca", "tan")),
        ("مُحَمَّد हिन्दी Ёлка", ("محمد", "हिन्", "елка"), ("दी",)),
        ("AI技術2026年 🎉", ("技術", "🎉 ai", "年 2026"), ("026年",)),
    ):
        thread = open_thread(ada, f"{title} {word}")
        for query in queries:
            items = anyone.get(THREADS, q=f"{word} {query}").expect()["items"]
            assert _ids(items) == [thread["id"]], query
        for query in others:
            assert anyone.get(THREADS, q=f"{word} {query}").expect()["items"] == [], query


def test_search_without_words_finds_nothing(anyone: Client) -> None:
    for query in ("!", "…", "- -", "%22%22", "🎉👩🏽\u200d💻", "❤\ufe0f", "\u0301"):
        assert anyone.get(THREADS, q=query).expect() == {"items": [], "next": None}


def test_empty_search_lists_everything(ada: Person, anyone: Client) -> None:
    thread = open_thread(ada, "Here")
    assert _ids(anyone.get(THREADS, q="", limit=1).expect()["items"]) == [thread["id"]]


def test_search_pages_to_the_end(ada: Person, anyone: Client) -> None:
    word = anyone.transcript.mark
    made = [open_thread(ada, f"{word} {'even' if n % 2 else 'odd'} {n}")["id"] for n in range(9)]
    assert _ids(walk(anyone, THREADS, q=word, limit=2)) == made[::-1]
    assert _ids(walk(anyone, THREADS, q=f"{word} odd", limit=2)) == made[::-1][::2]
    assert _ids(walk(anyone, THREADS, q=f"odd {word}", limit=1)) == made[::-1][::2]


def test_changed_title_is_found_by_its_new_words_only(ada: Person, anyone: Client) -> None:
    word = anyone.transcript.mark
    thread = open_thread(ada, f"{word} before")
    ada.client.patch(f"{THREADS}/{thread['id']}", {"title": f"{word} after"}).expect()
    assert anyone.get(THREADS, q=f"{word} before").expect()["items"] == []
    assert _ids(anyone.get(THREADS, q=f"{word} after").expect()["items"]) == [thread["id"]]


def test_search_cannot_be_sorted_by_activity(anyone: Client) -> None:
    anyone.get(THREADS, q="fig", sort="activity").refused(400, "about:blank", "sort")
    anyone.get(THREADS, q="fig", sort="newest").expect()


def test_number_of_search_words_is_bounded(anyone: Client) -> None:
    letters = "abcdefghijklmnopqrstuvwxyzäöüбвгдежзийклмнопрстуфхцчшщыэюя"
    anyone.get(THREADS, q=" ".join(letters[:8])).expect()
    anyone.get(THREADS, q=" ".join("abcdefgh" * 5)).expect()
    for number in (9, len(letters)):
        anyone.get(THREADS, q=" ".join(letters[:number])).refused(400, "about:blank", "q")


def test_invalid_search_is_refused_or_finds_nothing(anyone: Client) -> None:
    anyone.get(THREADS, q="x" * 120).expect()
    anyone.get(THREADS, q="x" * 121).refused(400, "about:blank", "q")
    anyone.get(THREADS, sort="votes").refused(400, "about:blank", "sort")
    anyone.get(THREADS, sort="").refused(400, "about:blank", "sort")
    for query in ("%", "_", "' OR 1=1 --", "oddly*odd", "(", "\\", "\x00", "{}", "[oddly]"):
        anyone.get(THREADS, q=query).expect()
