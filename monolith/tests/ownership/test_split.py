"""Pages of extracted domains: calls to the services, and degradation without them."""

import re
import time

import pytest

from forum.app import create_app
from forum.bootstrap import Bootstrap
from monolith.tests.support.services import Services
from services.posts.tests.crowd import fill
from tests.support import event_factory
from tests.support.people import SESSION_COOKIE

BADGE = re.compile(r"class=\"badge\".*</span>([^<]+)</")
STAGE = {"extracted": "users,threads,posts", "session_private_key": ""}


@pytest.fixture
def backend() -> str:
    """Use one database: these tests don't depend on it."""
    return "sqlite"


@pytest.fixture
def services(dynamo, session_keys):
    with Services(dynamo, session_keys).running() as services:
        yield services


@pytest.fixture
def app(make_settings, services):
    app = create_app(
        make_settings(**STAGE, threads_url=services.threads_url, posts_url=services.posts_url)
    )
    yield app
    app.extensions["database"].engine.dispose()


@pytest.fixture
def ada(sign_in):
    return sign_in("Ada")


@pytest.fixture
def browser_of(app):
    def browser_of(person):
        client = app.test_client()
        client.set_cookie(SESSION_COOKIE, person.token)
        return client

    return browser_of


@pytest.fixture
def thread(browser_of, ada):
    mine = browser_of(ada)
    token = mine.get("/threads/new").text.split('name="csrf_token" value="')[1].split('"')[0]
    form = {"title": "Split", "body": "First", "csrf_token": token}
    made = mine.post("/threads/new", data=form)
    assert made.status_code == 303, made.text
    return made.headers["Location"].split("?")[0].rpartition("/")[2]


@pytest.mark.parametrize("count", [100, 1_000])
def test_thread_page_makes_two_parallel_calls_and_three_reads(
    client, services, dynamo, thread, count
):
    fill(dynamo, services.posts_prefix, thread, count)
    client.set_cookie("somebody", "who gets pages of their own")
    first = f"/threads/{thread}"
    pages = [client.get(first).text, client.get(f"{first}?order=newest").text]
    onward = pages[1].split('rel="next"')[0].rpartition('href="')[2].partition('"')[0]
    services.delay = 0.3
    for path in (first, f"{first}?order=newest", onward.replace("&amp;", "&")):
        services.asked.clear()
        with dynamo.counted() as calls:
            start = time.monotonic()
            page = client.get(path)
            took = time.monotonic() - start
        assert page.status_code == 200
        assert page.text.count("<article") == 20
        assert sorted(services.asked) == ["posts", "threads"]
        assert took < 2 * services.delay, "one waited for the other"
        # The thread with its author's name; the posts, and then their authors' names.
        assert calls == {"Query": 1, "BatchGetItem": 2}


def test_status_page_names_reachable_and_unreachable_components(client):
    page = client.get("/status").text
    for name in ("monolith", "threads", "posts"):
        assert f"{name}/dev" in page
    # No users service runs in these tests.
    assert "users service is unreachable" in page


def test_thread_list_makes_one_call_to_threads(client, services, thread):
    services.asked.clear()
    assert client.get("/").status_code == 200
    assert services.asked == ["threads"]


def test_split_badge_names_the_component_behind_each_fragment(
    client, services, thread, make_settings, ada
):
    assert "badge" not in client.get(f"/threads/{thread}").text
    settings = make_settings(
        **STAGE,
        split_badge="on",
        threads_url=services.threads_url,
        posts_url=services.posts_url,
    )
    labelled, parts = create_app(settings), Bootstrap(settings)
    event = event_factory.thread_event(thread, title="Split")
    parts.event_handlers()[event.type](event)
    page = labelled.test_client().get(f"/threads/{thread}").text
    assert BADGE.findall(page) == ["threads/dev", "posts/dev", "monolith/dev"]
    parts.database.engine.dispose()
    settings = settings.model_copy(update={"threads_url": "http://127.0.0.1:9"})
    degraded = create_app(settings)
    page = degraded.test_client().get("/").text
    assert BADGE.findall(page) == ["monolith/dev, from its replica", "monolith/dev"]
    for app in (labelled, degraded):
        app.extensions["database"].engine.dispose()


def test_thread_without_posts_service_shows_head_and_keeps_reply(
    browser_of, ada, services, thread, app, make_settings
):
    settings = make_settings(
        **STAGE, threads_url=services.threads_url, posts_url="http://127.0.0.1:9"
    )
    degraded = create_app(settings)
    mine = degraded.test_client()
    mine.set_cookie(SESSION_COOKIE, ada.token)
    page = mine.get(f"/threads/{thread}")
    assert page.status_code == 200
    assert "Split" in page.text
    assert "Posts are temporarily unavailable" in page.text
    token = page.text.split('name="csrf_token" value="')[1].split('"')[0]
    form = {"body": "Not lost", "csrf_token": token, "idempotency_key": "k"}
    refused = mine.post(f"/threads/{thread}", data=form)
    assert refused.status_code == 503
    assert "Not lost" in refused.text
    # Sent again where posts is back, with the key it carries, it is there once.
    back = browser_of(ada)
    for _ in range(2):
        assert back.post(f"/threads/{thread}", data=form).status_code == 303
    assert back.get(f"/threads/{thread}").text.count("Not lost") == 1
    degraded.extensions["database"].engine.dispose()


def test_without_threads_known_thread_is_shown_and_replied_to(ada, services, thread, make_settings):
    settings = make_settings(
        **STAGE, threads_url="http://127.0.0.1:9", posts_url=services.posts_url
    )
    parts, degraded = Bootstrap(settings), create_app(settings)
    mine = degraded.test_client()
    mine.set_cookie(SESSION_COOKIE, ada.token)
    assert mine.get(f"/threads/{thread}").status_code == 503, "no event has told of it yet"
    event = event_factory.thread_event(thread, title="Split")
    parts.event_handlers()[event.type](event)
    page = mine.get(f"/threads/{thread}")
    assert page.status_code == 200
    for text in ("Split", "First", "may be slightly out of date"):
        assert text in page.text
    token = page.text.split('name="csrf_token" value="')[1].split('"')[0]
    form = {"body": "Meanwhile", "csrf_token": token, "idempotency_key": "k"}
    done = mine.post(f"/threads/{thread}", data=form)
    assert done.status_code == 303, done.text
    assert "Meanwhile" in mine.get(done.headers["Location"]).text
    for database in (parts.database, degraded.extensions["database"]):
        database.engine.dispose()


def test_resent_form_finishes_a_thread_whose_first_post_failed(
    browser_of, ada, services, app, make_settings
):
    settings = make_settings(
        **STAGE, threads_url=services.threads_url, posts_url="http://127.0.0.1:9"
    )
    degraded = create_app(settings)
    mine = degraded.test_client()
    mine.set_cookie(SESSION_COOKIE, ada.token)
    page = mine.get("/threads/new").text
    token = page.split('name="csrf_token" value="')[1].split('"')[0]
    key = page.split('name="idempotency_key" value="')[1].split('"')[0]
    form = {"title": "Half", "body": "Words", "csrf_token": token, "idempotency_key": key}
    failed = mine.post("/threads/new", data=form)
    assert failed.status_code == 503
    assert "first post was not saved" in failed.text
    assert "Words" in failed.text
    form["thread_id"] = failed.text.split('name="thread_id" value="')[1].split('"')[0]
    done = browser_of(ada).post("/threads/new", data=form)
    assert done.status_code == 303
    assert form["thread_id"] in done.headers["Location"]
    assert browser_of(ada).get("/").text.count("Half") == 1
    degraded.extensions["database"].engine.dispose()


@pytest.mark.parametrize("domain", ["users", "threads", "posts"])
def test_api_of_an_extracted_domain_is_404(client, domain):
    answer = client.get(f"/api/{domain}")
    assert answer.status_code == 404
    assert answer.mimetype == "application/problem+json"
