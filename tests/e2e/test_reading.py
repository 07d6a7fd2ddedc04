"""Reading page by page: lists, long threads, and the address of a single post."""

import itertools
import re

import pytest

from tests.e2e.conftest import new_name
from tests.e2e.support.visitor import Visitor
from tests.support.eventually import EventSettling
from tests.support.harness import Stack

POSTS = 45
ARTICLE = re.compile(r'<article class="post[^"]*" id="post-([0-9a-f-]+)"')


@pytest.fixture(scope="module", params=["before", "after"])
def stack(request: pytest.FixtureRequest) -> Stack:
    """Return each of the two stages in turn."""
    found: Stack = request.getfixturevalue(request.param)
    return found


@pytest.fixture(scope="module")
def writer(stack: Stack) -> Visitor:
    """Return a visitor who has written many posts."""
    made = Visitor(stack.base_url)
    made.register(new_name("writer"))
    return made


@pytest.fixture(scope="module")
def thread(stack: Stack, writer: Visitor) -> str:
    """Return the path of a thread of 45 posts."""
    new = {"title": f"A long thread of {writer.url}"}
    thread_id = _create(writer, "/api/threads", new)
    for number in range(1, POSTS + 1):
        _create(writer, "/api/posts", {"thread_id": thread_id, "body": f"Post number {number}."})
    EventSettling(stack).wait()
    return f"/threads/{thread_id}"


def _create(visitor: Visitor, path: str, new: dict[str, str]) -> str:
    response = visitor.http.post(visitor.url + path, json=new, timeout=30)
    assert response.status_code == 201
    return str(response.json()["id"])


def _numbers(visitor: Visitor) -> list[int]:
    return [int(found) for found in re.findall(r"Post number (\d+)\.", visitor.page.text)]


def _to_the_end(visitor: Visitor, path: str, link: str) -> list[int]:
    visitor.open(path)
    numbers = _numbers(visitor)
    for _ in itertools.repeat(None, 10):
        if link not in visitor.page.links:
            return numbers
        visitor.open(visitor.page.links[link])
        numbers += _numbers(visitor)
    message = f"{path} has no end"
    raise AssertionError(message)


def test_long_thread_is_read_from_both_ends(writer: Visitor, thread: str) -> None:
    assert f"{POSTS} posts" in writer.open(thread).text
    forward = list(range(1, POSTS + 1))
    assert _to_the_end(writer, thread, "Newer posts") == forward
    writer.open(writer.page.links["Go to first post"])
    assert _numbers(writer)[0] == 1
    newest = writer.page.links["Newest first"]
    assert _to_the_end(writer, newest, "Older posts") == forward[::-1]


def test_profile_lists_all_posts_of_a_user(writer: Visitor, thread: str) -> None:
    path = writer.open("/me").links["View your public profile"]
    assert _to_the_end(writer, path, "Older posts") == list(range(POSTS, 0, -1))


def test_new_reply_is_in_view(writer: Visitor, thread: str) -> None:
    writer.open(thread)
    writer.reply("A word at the very end.")
    assert "A word at the very end." in writer.page.text
    fragment = writer.response.history[-1].headers["Location"].partition("#")[2]
    assert f'id="{fragment}"' in writer.page.source
    post = fragment.removeprefix("post-")
    form = writer.page.form(f"/posts/{post}/delete")
    writer.submit(form)
    assert f'id="{fragment}"' in writer.page.source


def test_invalid_page_address_is_handled(writer: Visitor, thread: str) -> None:
    for odd in ("at=x", "at=", f"at={'0' * 36}", "order=up", "order=", "page=2", "at=%00"):
        writer.open(f"{thread}?{odd}")
        assert writer.status == 200, odd
        assert ARTICLE.search(writer.page.source)
    for path in (thread, "/"):
        for cursor in ("x", "%00", "WyIwIl0.x", "x" * 2000):
            writer.open(f"{path}?cursor={cursor}")
            assert writer.status in {200, 400, 404}, cursor
    for odd in ("?sort=votes", "?q=", "?q=%20", "?q=!", f"?q={'x' * 500}", "?q=%00", "?done=x"):
        writer.open(f"/{odd}")
        assert writer.status == 200, odd


def test_threads_are_listed_to_the_end(stack: Stack, writer: Visitor, thread: str) -> None:
    made = [_create(writer, "/api/threads", {"title": f"Listed {number}"}) for number in range(25)]
    # Posts that are still being counted would move threads from page to page.
    EventSettling(stack).wait()
    for start in ("/?sort=newest", "/", "/?q=listed"):
        found: list[str] = []
        page = writer.open(start)
        for _ in itertools.repeat(None, 20):
            found += re.findall(r'<h2[^>]*><a href="/threads/([0-9a-f-]+)">', page.source)
            if "More threads" not in page.links:
                break
            page = writer.open(page.links["More threads"])
        assert [thread_id for thread_id in found if thread_id in made] == made[::-1], start
        assert len(found) == len(set(found))


def test_search_shows_its_results(writer: Visitor) -> None:
    word = f"zebra{new_name('x').replace('-', '')}"
    _create(writer, "/api/threads", {"title": f"The {word} crossing"})
    page = writer.open(f"/?q={word}")
    assert f"The {word} crossing" in page.links
    assert "No titles match" in writer.open(f"/?q={word}+nowhere").text
