"""Pages while a service is down: reads use the replica, with a notice."""

from dataclasses import replace

import pytest

from chassis.clock import uuid7
from forum.bootstrap import Bootstrap
from tests.support import event_factory

DOWN = "http://127.0.0.1:9"
OLD = "may be slightly out of date"


@pytest.fixture
def settings(make_settings):
    urls = {f"{domain}_url": DOWN for domain in ("users", "threads")}
    return make_settings(extracted="users,threads", session_private_key="", **urls)


@pytest.fixture
def apply_events(settings):
    """Return a function that applies events like the worker."""
    parts = Bootstrap(settings)

    def apply_events(*events):
        for event in events:
            parts.event_handlers()[event.type](event)

    yield apply_events
    parts.database.engine.dispose()


@pytest.fixture
def ada(sign_in, apply_events):
    ada = sign_in("Ada")
    apply_events(event_factory.user_event(ada, 1, "user.registered"))
    return ada


@pytest.fixture
def start(apply_events, ada):
    """Apply the event of a thread by Ada."""

    def start(title):
        event = event_factory.thread_event(uuid7(), title=title)
        apply_events(replace(event, data=event.data | {"author_id": ada.id}))
        return event.subject

    return start


@pytest.fixture
def thread(start):
    return start("Told of")


def test_known_thread_is_shown_and_replied_to_without_threads(
    browser, token_of, ada, thread, client
):
    mine = browser(ada)
    page = mine.get(f"/threads/{thread}")
    assert page.status_code == 200
    for text in ("Told of", "Ada", "0 posts", OLD, "No posts yet"):
        assert text in page.text
    assert page.text.count(OLD) == 1
    form = {"body": "Written meanwhile", "csrf_token": token_of(mine), "idempotency_key": "k"}
    done = mine.post(f"/threads/{thread}", data=form)
    assert done.status_code == 303
    page = client.get(done.headers["Location"]).text
    assert "Written meanwhile" in page
    assert "1 post" in page


def test_locked_thread_is_shown_locked(client, apply_events, thread):
    apply_events(event_factory.thread_event(thread, 2, title="Closed", locked=True))
    page = client.get(f"/threads/{thread}").text
    assert "Closed" in page
    assert "This thread is locked" in page


def test_list_and_search_work_without_threads(client, start):
    threads = [start(f"Thread number {number}") for number in range(25)]
    first = client.get("/")
    assert first.status_code == 200
    assert OLD in first.text
    onward = first.text.split('rel="next"')[0].rpartition('href="')[2].partition('"')[0]
    pages = first.text + client.get(onward.replace("&amp;", "&")).text
    assert all(f"/threads/{thread}" in pages for thread in threads)
    newest = client.get("/?sort=newest").text
    assert newest.index("number 24") < newest.index("number 23")
    found = client.get("/?q=number+7").text
    assert "Thread number 7" in found
    assert "Thread number 8" not in found
    assert OLD in found


def test_page_from_the_replica_is_for_one_request_only(client, start):
    start("An old title")
    assert OLD in client.get("/").text
    start("A new title")
    assert "A new title" in client.get("/").text


def test_unknown_or_deleted_thread_is_not_shown(client, apply_events, thread):
    assert client.get(f"/threads/{uuid7()}").status_code == 503
    apply_events(event_factory.thread_event(thread, 2, "thread.deleted"))
    assert client.get(f"/threads/{thread}").status_code == 404
    page = client.get("/")
    assert page.status_code == 503, "nothing is known, which does not mean that there is nothing"
    assert "Threads are temporarily unavailable" in page.text


def test_thread_changes_are_503_without_threads(browser, token_of, sign_in, thread):
    moderator = browser(sign_in("Mo", role="moderator"))
    form = {"csrf_token": token_of(moderator)}
    assert moderator.post(f"/threads/{thread}/lock", data=form).status_code == 503
    assert moderator.post(f"/threads/{thread}/delete", data=form).status_code == 503
    form |= {"title": "New", "body": "First"}
    page = moderator.post("/threads/new", data=form)
    assert page.status_code == 503
    assert 'value="New"' in page.text
    assert "First" in page.text


def test_profiles_are_shown_while_users_are_down(client, apply_events, ada):
    apply_events(event_factory.user_event(ada, 2, name="Ada L."))
    page = client.get(f"/users/{ada.id}")
    assert page.status_code == 200
    for text in ("Ada L.", f"@{ada.username}", OLD):
        assert text in page.text
    assert client.get(f"/users/{uuid7()}").status_code == 503
    apply_events(event_factory.user_event(ada, 3, "user.erased"))
    assert client.get(f"/users/{ada.id}").status_code == 404


def test_account_pages_are_503_without_users(browser, client, ada):
    assert browser(ada).get("/me").status_code == 503
    form = {"username": "grace", "password": "correct horse"}
    for path in ("/sign-in", "/register"):
        page = client.post(path, data=form)
        assert page.status_code == 503
        assert "grace" in page.text
