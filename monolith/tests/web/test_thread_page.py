"""A thread's page: post window, navigation, quoting, preview and renaming."""

import re
from html import escape

import pytest
from sqlalchemy import update

from forum.users.models import UserRow

SHOWN = re.compile(r"<p>number (\d+)</p>")


@pytest.fixture
def empty_url(tmp_path):
    """Use SQLite only: these tests don't depend on the database."""
    return f"sqlite:///{tmp_path}/forum.db"


@pytest.fixture
def thread(client, ada):
    made = client.post("/api/threads", json={"title": "A thread"}, headers=ada.headers).json
    return made["id"]


@pytest.fixture
def posts(client, ada, thread):
    return [_post(client, ada, thread, f"number {number}") for number in range(45)]


def _post(client, person, thread, body):
    new = {"thread_id": thread, "body": body}
    return client.post("/api/posts", json=new, headers=person.headers).json["id"]


def _numbers(page):
    return [int(found) for found in SHOWN.findall(page.text)]


def _link(page, label):
    found = re.search(rf'href="([^"]+)"[^>]*>{label}<', page.text)
    return found and found[1].replace("&amp;", "&")


def test_pages_are_linked_in_both_directions(client, thread, posts):
    path = f"/threads/{thread}"
    page = client.get(path)
    seen = [_numbers(page)]
    while onward := _link(page, "Newer posts"):
        page = client.get(onward)
        seen.append(_numbers(page))
    assert seen == [list(range(20)), list(range(20, 40)), list(range(40, 45))]
    back = []
    while earlier := _link(page, "Older posts"):
        page = client.get(earlier.partition("#")[0])
        back.append(_numbers(page))
    assert back == [list(range(20, 40)), list(range(20))]
    assert _link(page, "Go to first post") is None
    newest = client.get(f"{path}?order=newest")
    assert _numbers(newest) == list(range(44, 24, -1))
    older = client.get(_link(newest, "Older posts"))
    assert _numbers(older) == list(range(24, 4, -1))
    assert _numbers(client.get(_link(older, "Newer posts")))[-1] == 25


def test_long_posts_make_more_pages_instead_of_larger_ones(client, ada, thread):
    words = "Many words about nothing. " * 600
    for number in range(5):
        _post(client, ada, thread, f"number {number}\n\n{words}")
    path = f"/threads/{thread}"
    page = client.get(path)
    assert _numbers(page) == [0, 1]
    assert _numbers(client.get(_link(page, "Newer posts"))) == [2, 3]
    newest = client.get(f"{path}?at=newest")
    assert _numbers(newest) == [3, 4]
    assert _numbers(client.get(_link(newest, "Older posts").partition("#")[0])) == [1, 2]


def test_page_stays_the_same_while_others_write(client, ada, thread, posts):
    address = _link(client.get(f"/threads/{thread}"), "Newer posts")
    before = _numbers(client.get(address))
    _post(client, ada, thread, "number 45")
    assert _numbers(client.get(address)) == before


def test_newest_posts_are_one_link_away(client, thread, posts):
    jump = _link(client.get(f"/threads/{thread}"), "Jump to newest")
    page = client.get(jump.partition("#")[0])
    assert _numbers(page) == list(range(25, 45))
    assert page.text.index('id="end"') > page.text.index("number 43")


def test_permalink_shows_a_post_among_its_neighbours(client, thread, posts):
    for number in (0, 3, 22, 44):
        page = client.get(f"/threads/{thread}?at={posts[number]}")
        assert _numbers(page) == list(range(max(0, number - 10), min(45, number + 10)))


def test_page_beyond_the_end_links_back(client, thread, posts):
    for name, post in (("after", posts[-1]), ("before", posts[0])):
        page = client.get(f"/threads/{thread}?{name}={post}")
        assert "No more posts" in page.text
        assert _link(page, "Go to first post") == f"/threads/{thread}"


@pytest.mark.parametrize("name", ["at", "after", "before"])
@pytest.mark.parametrize("odd", ["", "x", "%00", "0" * 36, "z" * 36, "x" * 2000])
def test_invalid_position_is_ignored(client, thread, posts, name, odd):
    assert client.get(f"/threads/{thread}?{name}={odd}").status_code == 200


def test_quotation_begins_a_reply(browser, ada, client, thread):
    post = _post(client, ada, thread, "One line\n\nand *another*")
    page = browser(ada).get(f"/threads/{thread}?at={post}&quote={post}")
    source = f"/threads/{thread}?at={post}#post-{post}"
    quoted = f"> [ada wrote]({source}):\n>\n> One line\n>\n> and *another*\n\n"
    assert escape(quoted) in page.text
    assert "wrote:" not in client.get(f"/threads/{thread}?quote={post}").text
    nothing = browser(ada).get(f"/threads/{thread}?quote=nothing")
    assert (nothing.status_code, "wrote:" in nothing.text) == (200, False)


def test_name_in_a_quotation_is_escaped(browser, ada, client, thread):
    name = {"display_name": "*_[Ada](x)"}
    client.patch(f"/api/users/{ada.id}", json=name, headers=ada.headers)
    post = _post(client, ada, thread, "Words")
    page = browser(ada).get(f"/threads/{thread}?quote={post}").text
    assert r"&gt; [\*\_\[Ada\](x) wrote](/threads/" in page


def test_posts_show_who_of_one_name_is_who(browser, ada, bob, client, thread, database):
    for person in (ada, bob):
        _post(client, person, thread, "A post")
        name = {"display_name": "The Moderator"}
        client.patch(f"/api/users/{person.id}", json=name, headers=person.headers)
    with database.writing() as session:
        session.execute(update(UserRow).where(UserRow.id == bob.id).values(role="moderator"))
    first, second = browser(ada).get(f"/threads/{thread}").text.split("<article")[1:]
    mark = '<span class="tag">moderator</span>'
    assert f'href="/users/{ada.id}">The Moderator</a> <span class="handle">@ada</span>' in first
    assert mark not in first
    assert f'The Moderator</a> <span class="handle">@bob</span> {mark}' in second


def test_erased_author_has_no_handle(browser, ada, bob, client, thread):
    _post(client, bob, thread, "A post")
    confirmed = {"password": "correct horse"}
    erased = client.delete(f"/api/users/{bob.id}", json=confirmed, headers=bob.headers)
    assert erased.status_code == 202
    page = browser(ada).get(f"/threads/{thread}").text
    assert '<span class="author gone">former member</span>' in page
    assert "@bob" not in page


def test_preview_shows_the_text_and_keeps_it(browser, ada, client, thread, token_of):
    mine, text = browser(ada), "*Seen* first <script>"
    post = _post(client, ada, thread, "A post")
    fields = {"csrf_token": token_of(mine), "preview": "on", "body": text, "title": "A title"}
    for path in (f"/threads/{thread}", "/threads/new", f"/posts/{post}/edit"):
        page = mine.post(path, data=fields)
        assert page.status_code == 200
        assert "<p><em>Seen</em> first &lt;script&gt;</p>" in page.text
        assert "*Seen* first &lt;script&gt;</textarea>" in page.text
    assert len(client.get(f"/api/posts/in-thread/{thread}").json["items"]) == 1


def test_page_with_a_preview_opens_at_it(browser, ada, client, thread, token_of):
    mine = browser(ada)
    post = _post(client, ada, thread, "A post")
    fields = {"csrf_token": token_of(mine), "preview": "on", "title": "A title"}
    for path in (f"/threads/{thread}", "/threads/new", f"/posts/{post}/edit"):
        page = mine.post(path, data=fields | {"body": "*Seen*"}).text
        assert f'name="preview" value="on" formaction="{path}#preview"' in page
        assert 'class="preview prose" id="preview"' in page
        # Without the target, browsers scroll to the field with `autofocus`.
        page = mine.post(path, data=fields | {"body": " "}).text
        assert 'id="preview"' not in page
        assert "Nothing to preview yet." in page
        assert re.search(r'<textarea id="body"[^>]* autofocus>', page)


def test_anonymous_reply_leads_to_sign_in_and_back(client, ada, thread):
    page = client.get(f"/threads/{thread}").text
    assert f'<a class="button primary" href="/sign-in?next=/threads/{thread}%23reply">Reply' in page
    form = {"username": "ada", "password": "correct horse", "next": f"/threads/{thread}#reply"}
    assert client.post("/sign-in", data=form).headers["Location"] == f"/threads/{thread}#reply"
    assert (
        '<a class="button primary" href="#reply">Reply</a>' in client.get(f"/threads/{thread}").text
    )


def test_script_gets_the_preview_alone(browser, ada, client, token_of):
    mine = browser(ada)
    sent = {"csrf_token": token_of(mine), "body": "*Seen*"}
    assert mine.post("/preview", data=sent).text == "<p><em>Seen</em></p>\n"
    assert mine.post("/preview", data={"body": "*Seen*"}).status_code == 403
    assert client.post("/preview", data={"body": "*Seen*"}).status_code == 401


def test_preview_refuses_what_a_post_refuses(browser, ada, client, thread, token_of):
    mine, text = browser(ada), "*long*" + "a" * 16_000
    post = _post(client, ada, thread, "A post")
    fields = {"csrf_token": token_of(mine), "preview": "on", "body": text, "title": "A title"}
    for path in (f"/threads/{thread}", "/threads/new", f"/posts/{post}/edit"):
        page = mine.post(path, data=fields)
        assert page.status_code == 400
        assert "Use at most 16000 characters." in page.text
        assert "<em>long</em>" not in page.text
    page = mine.post("/preview", data=fields)
    assert (page.status_code, page.text) == (400, "Use at most 16000 characters.")
    assert page.mimetype == "text/html"


@pytest.mark.parametrize(("column", "status"), [("suspended", 403), ("erased", 401)])
def test_preview_is_refused_to_who_may_not_write(
    browser, ada, client, thread, token_of, database, column, status
):
    mine = browser(ada)
    post = _post(client, ada, thread, "A post")
    fields = {"csrf_token": token_of(mine), "preview": "on", "body": "*Seen*", "title": "A title"}
    with database.writing() as session:
        session.execute(update(UserRow).values({column: True}))
    for path in (f"/threads/{thread}", "/threads/new", f"/posts/{post}/edit", "/preview"):
        page = mine.post(path, data=fields)
        assert page.status_code == status
        assert "<em>Seen</em>" not in page.text


def test_author_changes_the_title_of_a_thread(browser, ada, bob, client, thread, token_of):
    path, mine = f"/threads/{thread}/edit", browser(ada)
    form = {"csrf_token": token_of(mine), "etag": "1"}
    assert mine.post(path, data=form | {"title": ""}).status_code == 400
    done = mine.post(path, data=form | {"title": "Another title"})
    assert done.status_code == 303
    assert '<h1 dir="auto">Another title</h1>' in client.get(f"/threads/{thread}").text
    stale = mine.post(path, data=form | {"title": "A third"})
    assert stale.status_code == 412
    assert "The current title is “Another title”." in stale.text
    assert "Saving replaces the current version." in stale.text
    assert 'value="A third"' in stale.text
    other = browser(bob)
    assert other.get(path).status_code == 403
    sent = {"csrf_token": token_of(other), "title": "Bob’s now"}
    assert other.post(path, data=sent).status_code == 403
