"""The pages: content, state and safety."""

import re

import pytest

from forum.bootstrap import Bootstrap
from forum.users.queries import Handle, UserQueries
from tests.support.people import SESSION_COOKIE

PUBLIC = ["/", "/?sort=newest", "/?q=words", "/register", "/sign-in", "/status", "/nowhere"]


@pytest.fixture
def parts(settings):
    parts = Bootstrap(settings)
    yield parts
    parts.database.engine.dispose()


@pytest.fixture
def thread(client, ada):
    made = client.post("/api/threads", json={"title": "A <title>"}, headers=ada.headers).json
    body = {"thread_id": made["id"], "body": "*First* <script>alert(1)</script>"}
    client.post("/api/posts", json=body, headers=ada.headers)
    return made["id"]


@pytest.mark.parametrize("path", PUBLIC)
def test_anonymous_page_holds_no_token_and_sets_no_cookie(client, path):
    page = client.get(path)
    assert page.status_code == (404 if path == "/nowhere" else 200)
    assert "Set-Cookie" not in page.headers
    assert "csrf" not in page.text
    policy = page.headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert policy.startswith("default-src 'none'")
    assert not re.search(r"<script(?![^>]+src=)|<style|\sstyle=|\son\w+=", page.text)


def test_thread_shows_its_posts_escaped(client, thread):
    page = client.get(f"/threads/{thread}").text
    assert "A &lt;title&gt;" in page
    assert "<em>First</em>" in page
    assert "<script>" not in page
    assert "alert(1)&lt;/script&gt;" in page


def test_first_session_from_registering_to_signing_out(client):
    form = {"username": "grace", "password": "correct horse", "next": "/threads/new"}
    assert client.post("/register", data=form).headers["Location"] == "/threads/new"
    page = client.get("/threads/new").text
    new = _hidden(page) | {"title": "Hello", "body": "First words"}
    made = client.post("/threads/new", data=new)
    assert made.status_code == 303
    page = client.get(made.headers["Location"]).text
    assert "First words" in page
    reply = _hidden(page, 'id="reply"') | {"body": "A reply\r\nof two lines"}
    thread = made.headers["Location"].split("?")[0]
    answered = client.post(thread, data=reply)
    page = client.get(answered.headers["Location"]).text
    assert "A reply<br>\nof two lines" in page
    assert page.count("<article") == 2
    out = client.post("/sign-out", data=_hidden(page))
    assert f"{SESSION_COOKIE}=;" in out.headers["Set-Cookie"]
    assert "Sign in" in client.get("/").text


def test_session_of_a_missing_account_is_removed(client, sign_in):
    client.set_cookie(SESSION_COOKIE, sign_in("Gone").token)
    assert client.get("/me").headers["Location"] == "/sign-in?next=/me"
    page = client.post("/me")
    assert page.status_code == 401
    assert f"{SESSION_COOKIE}=;" in page.headers["Set-Cookie"]
    assert "Sign in" in client.get("/").text


def test_signed_in_user_can_sign_in_as_another(browser, ada, bob):
    form = {"username": bob.username, "password": "correct horse"}
    assert browser(ada).post("/sign-in", data=form).status_code == 303


def test_sending_a_form_twice_has_one_effect(browser, ada, thread):
    mine = browser(ada)
    form = _hidden(mine.get(f"/threads/{thread}").text, 'id="reply"') | {"body": "Once"}
    places = {mine.post(f"/threads/{thread}", data=form).headers["Location"] for _ in range(2)}
    assert len(places) == 1
    assert mine.get(f"/threads/{thread}").text.count("<article") == 2


def test_changed_text_with_a_used_key_is_kept_and_can_be_sent(browser, ada, thread):
    mine = browser(ada)
    form = _hidden(mine.get(f"/threads/{thread}").text, 'id="reply"') | {"body": "Once"}
    mine.post(f"/threads/{thread}", data=form)
    page = mine.post(f"/threads/{thread}", data=form | {"body": "Another"})
    assert page.status_code == 422
    again = _hidden(page.text, 'id="reply"') | {"body": "Another"}
    assert mine.post(f"/threads/{thread}", data=again).status_code == 303


def test_longest_post_fits_in_a_form_in_any_script(browser, ada, thread, client):
    mine = browser(ada)
    body = "\U0001f9f5" * 16_000
    form = _hidden(mine.get(f"/threads/{thread}").text, 'id="reply"') | {"body": body}
    assert mine.post(f"/threads/{thread}", data=form).status_code == 303
    assert client.get(f"/api/posts/in-thread/{thread}").json["items"][-1]["body"] == body
    too_long = form | {"body": body * 2}
    assert mine.post(f"/threads/{thread}", data=too_long).status_code == 413


@pytest.mark.parametrize("body", ["", "   ", "x" * 16_001, "nul \0 inside"])
def test_refused_reply_is_shown_again_with_its_text(browser, ada, thread, body):
    mine = browser(ada)
    form = _hidden(mine.get(f"/threads/{thread}").text, 'id="reply"') | {"body": body}
    page = mine.post(f"/threads/{thread}", data=form)
    assert page.status_code == 400
    assert "body-error" in page.text
    assert body in page.text


def test_reply_after_the_session_has_ended_is_not_lost(client, thread):
    page = client.post(f"/threads/{thread}", data={"body": "Long thoughts"})
    assert page.status_code == 401
    assert "Long thoughts" in page.text


def test_edit_of_an_outdated_version_shows_both_texts(browser, ada, client, thread):
    post = client.get(f"/api/posts/in-thread/{thread}").json["items"][0]["id"]
    mine = browser(ada)
    form = _hidden(mine.get(f"/posts/{post}/edit").text, "<form class") | {"body": "Mine"}
    client.patch(f"/api/posts/{post}", json={"body": "Theirs"}, headers=ada.headers)
    page = mine.post(f"/posts/{post}/edit", data=form)
    assert page.status_code == 412
    assert "Mine" in page.text
    assert "Theirs" in page.text
    assert "Saving replaces the current version." in page.text
    again = _hidden(page.text, "<form class") | {"body": "Mine"}
    assert mine.post(f"/posts/{post}/edit", data=again).status_code == 303
    assert client.get(f"/api/posts/{post}").json["body"] == "Mine"


def test_permalink_shows_its_post_wherever_it_is_in_the_thread(client, ada, thread):
    last = None
    for number in range(45):
        body = {"thread_id": thread, "body": f"number {number}"}
        last = client.post("/api/posts", json=body, headers=ada.headers).json["id"]
    page = client.get(f"/threads/{thread}?at={last}").text
    assert f'id="post-{last}"' in page
    assert "number 44" in page


def test_wrong_name_and_wrong_password_look_alike(client, register):
    person = register()
    pages = {
        client.post("/sign-in", data={"username": name, "password": "wrong password"}).text.replace(
            name, "NAME"
        )
        for name in (person.username, "nobody-at-all")
    }
    assert len(pages) == 1
    assert "The username or password is incorrect." in pages.pop()


def test_account_page_changes_profile_and_password_and_deletes(browser, ada, client):
    mine = browser(ada)
    form = _hidden(mine.get("/me").text, "profile-title")
    form |= {"display_name": "Ada L.", "bio": "Notes"}
    assert mine.post("/me", data=form).headers["Location"] == "/me?done=profile"
    assert client.get(f"/api/users/{ada.id}").json["display_name"] == "Ada L."
    password = _hidden(mine.get("/me").text, "password-title")
    password |= {"current": "wrong password", "new": "battery staple"}
    assert mine.post("/me", data=password).status_code == 403
    password["current"] = "correct horse"
    assert mine.post("/me", data=password).headers["Location"] == "/me?done=password"
    erase = _hidden(mine.get("/me").text, "erase-title") | {"confirm": "yes"}
    assert mine.post("/me", data=erase).status_code == 400
    assert mine.post("/me", data=erase | {"password": "correct horse"}).status_code == 403
    erase |= {"password": "battery staple"}
    progress = f"/users/{ada.id}/erasure"
    assert mine.post("/me", data=erase).headers["Location"] == progress
    assert "Your account is deleted" in client.get(progress).text
    assert client.get(f"/users/{ada.id}").status_code == 404


def test_new_password_signs_other_browsers_out_and_keeps_open_forms(browser, ada):
    this, other = browser(ada), browser(ada)
    profile = _hidden(this.get("/me").text, "profile-title")
    password = _hidden(this.get("/me").text, "password-title")
    this.post("/me", data=password | {"current": "correct horse", "new": "battery staple"})
    assert "You are signed out everywhere else." in this.get("/me?done=password").text
    for path in ("/", "/threads/new"):
        assert "Sign out" not in other.get(path).text
    assert other.get("/me").headers["Location"] == "/sign-in?next=/me"
    assert other.post("/me", data=profile).status_code == 401
    # The same session continues, so a form from before is still its own.
    profile |= {"display_name": "Ada L.", "bio": ""}
    assert this.post("/me", data=profile).status_code == 412
    profile.pop("etag")
    assert this.post("/me", data=profile).headers["Location"] == "/me?done=profile"


def test_conflict_on_the_account_page_shows_both_versions(browser, ada, client):
    mine = browser(ada)
    form = _hidden(mine.get("/me").text, "profile-title") | {
        "display_name": "Mine",
        "bio": "My bio",
    }
    theirs = {"display_name": "Theirs", "bio": "Their bio"}
    client.patch(f"/api/users/{ada.id}", json=theirs, headers=ada.headers)
    page = mine.post("/me", data=form)
    assert page.status_code == 412
    for text in ("Mine", "My bio", "<bdi>Theirs</bdi>", "Their bio", "Saving replaces"):
        assert text in page.text
    again = _hidden(page.text, "profile-title") | {"display_name": "Mine", "bio": "My bio"}
    assert mine.post("/me", data=again).headers["Location"] == "/me?done=profile"
    assert client.get(f"/api/users/{ada.id}").json["display_name"] == "Mine"


def test_header_shows_the_newest_name(browser, ada, bob, client):
    mine = browser(ada)
    client.patch(f"/api/users/{ada.id}", json={"display_name": "Ada L."}, headers=ada.headers)
    for path in ("/", "/me", "/threads/new"):
        assert "</span><bdi>Ada L.</bdi></a>" in mine.get(path).text
    # Somebody else who signs in here has their own name.
    form = {"username": bob.username, "password": "correct horse"}
    pending = {"resume": "/threads/new", "body": "Words"}
    assert "</span><bdi>bob</bdi></a>" in mine.post("/sign-in", data=form | pending).text


def test_moderator_is_offered_what_can_be_changed(browser, ada, register, parts, client):
    mona = register("mona")
    parts.sql_users.make_moderator("mona")
    window = browser(mona)
    window.post("/sign-in", data={"username": "mona", "password": "correct horse"})
    path = f"/users/{ada.id}"
    offered = ("Suspend user", "Lift suspension")
    for value, shown in (("true", offered[1]), ("false", offered[0])):
        form = _hidden(window.get(path).text, 'class="panel care"') | {"suspended": value}
        window.post(f"{path}/moderate", data=form)
        page = window.get(path).text
        assert [text for text in offered if text in page] == [shown]
    assert "Suspend" not in client.get(path).text


@pytest.mark.parametrize(
    ("done", "shown"),
    [
        ("suspended", ["Lift suspension"]),
        ("reinstated", ["Suspend user"]),
        ("", ["Suspend user"]),
    ],
)
def test_page_of_a_user_knows_what_a_lagging_replica_does_not(monkeypatch, request, done, shown):
    # Before the application is made, which binds the method.
    monkeypatch.setattr(
        UserQueries,
        "handles",
        lambda _, ids: dict.fromkeys(ids, Handle("ada", "member", suspended=False, version=0)),
    )
    browser, ada, register, parts = map(
        request.getfixturevalue, ("browser", "ada", "register", "parts")
    )
    mona = register("mona")
    parts.sql_users.make_moderator("mona")
    window = browser(mona)
    window.post("/sign-in", data={"username": "mona", "password": "correct horse"})
    page = window.get(f"/users/{ada.id}?done={done}").text
    assert [text for text in ("Suspend user", "Lift suspension") if text in page] == shown


def test_first_field_has_the_focus(client, browser, ada):
    assert re.search(r'<input id="username"[^>]* autofocus', client.get("/sign-in").text)
    mine = browser(ada).get("/threads/new").text
    assert re.search(r'<input id="title"[^>]* autofocus', mine)
    assert mine.count(" autofocus") == 1


def test_refused_sign_in_marks_both_fields(client, ada):
    fine = client.get("/sign-in").text
    assert "aria-invalid" not in fine
    form = {"username": ada.username, "password": "wrong password"}
    refused = client.post("/sign-in", data=form).text
    marked = re.findall(
        r'<input id="(\w+)"[^>]+ aria-invalid="true" aria-describedby="form-error"', refused
    )
    assert marked == ["username", "password"]
    assert 'id="form-error" role="alert">The username or password is incorrect.' in refused


def test_page_describes_itself(client, ada, thread):
    def described(path):
        return re.findall(r'<meta name="description" content="([^"]*)">', client.get(path).text)

    assert described("/") == ["A forum about splitting a monolith into services."]
    by_ada = f"A &lt;title&gt;: 1 post, started by {ada.username}."
    assert described(f"/threads/{thread}") == [by_ada]
    assert described(f"/users/{ada.id}") == [f"Profile and posts of {ada.username}."]


def test_title_of_a_refused_reply_begins_with_error(browser, ada, thread):
    mine = browser(ada)
    page = mine.get(f"/threads/{thread}").text
    refused = mine.post(f"/threads/{thread}", data=_hidden(page, 'id="reply"') | {"body": " "})
    assert "<title>Error: A &lt;title&gt; · Seams</title>" in refused.text


def test_further_page_of_a_thread_says_so_in_its_title(client, ada, thread):
    for number in range(20):
        reply = {"thread_id": thread, "body": f"Reply {number}"}
        client.post("/api/posts", json=reply, headers=ada.headers)
    first = client.get(f"/threads/{thread}").text
    onward = re.search(r'href="([^"]+)" rel="next"', first)[1].replace("&amp;", "&")
    assert "<title>A &lt;title&gt; · Seams</title>" in first
    assert "<title>A &lt;title&gt;, continued · Seams</title>" in client.get(onward).text


def test_search_says_how_many_titles_match(client, thread):
    assert '<span role="status">1 title on this page matches “' in client.get("/?q=title").text
    assert '<span role="status">Titles that match “' in client.get("/?q=nothing").text


def test_further_pages_of_a_list_say_so(client, ada):
    titles = [f"Thread {number}" for number in range(21)]
    for title in titles:
        made = client.post("/api/threads", json={"title": title}, headers=ada.headers).json
        body = {"thread_id": made["id"], "body": title}
        client.post("/api/posts", json=body, headers=ada.headers)
    for path, before, after in (
        ("/", "Threads", "Older threads"),
        ("/?sort=newest", "Threads", "Older threads"),
        ("/?q=thread", "Search titles", "Older results"),
        (f"/users/{ada.id}", "Posts", "Older posts"),
    ):
        first = client.get(path).text
        older = client.get(
            re.search(r'href="([^"]+)" rel="next"', first)[1].replace("&amp;", "&")
        ).text
        assert re.search(rf"<h[12]>{before}</h[12]>", first), path
        assert re.search(rf"<h[12]>{after}</h[12]>", older), path
        assert len({re.search("<title>(.*)</title>", page)[1] for page in (first, older)}) == 2


def test_signing_out_everywhere_ends_each_session(browser, ada):
    this, other = browser(ada), browser(ada)
    form = _hidden(this.get("/me").text, "sessions-title")
    assert this.post("/me", data=form).headers["Location"] == "/?done=everywhere"
    for window in (this, other):
        assert "Sign out" not in window.get("/").text


def test_role_is_changed_with_the_moderators_password_only(browser, ada, register, parts):
    mona = register("mona")
    parts.sql_users.make_moderator("mona")
    window = browser(mona)
    path = f"/users/{ada.id}"
    window.post("/sign-in", data={"username": "mona", "password": "correct horse"})
    form = _hidden(window.get(path).text, 'class="write"')
    for password, status in (("", 400), ("wrong password", 403), ("correct horse", 303)):
        assert parts.sql_users.get(ada.id).role == "member"
        sent = window.post(f"{path}/moderate", data=form | {"password": password})
        assert sent.status_code == status
    assert parts.sql_users.get(ada.id).role == "moderator"


def test_unknown_page_is_a_page_and_an_unknown_api_a_problem(client):
    assert client.get("/nowhere").mimetype == "text/html"
    assert client.get("/api/nowhere").mimetype == "application/problem+json"


def test_static_files_are_immutable_under_their_content_hash(client):
    link = re.search(r'href="(/static/[^"]+\.css)"', client.get("/").text)
    assert link
    assert "immutable" in client.get(link[1]).headers["Cache-Control"]
    assert client.get("/static/000000000000/nothing.css").status_code == 404


def test_static_file_of_another_revision_is_served_uncached(client):
    """During a rolling deployment, a page and its files may come from different revisions."""
    style = client.get("/static/000000000000/style.css")
    assert style.status_code == 200
    assert style.headers["Cache-Control"] == "no-store"


def _hidden(page, after=""):
    """Return the hidden fields of the first form behind a place in a page."""
    form = page[page.index(after) :].partition("</form>")[0]
    fields = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form)
    return dict(fields)


def test_error_page_has_the_headers_of_its_error(client):
    refused = client.put("/sign-in")
    assert (refused.status_code, refused.mimetype) == (405, "text/html")
    assert set(refused.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS", "POST"}
    private = client.post("/threads/new")
    assert (private.status_code, private.headers["WWW-Authenticate"]) == (401, "Bearer")


def test_error_below_static_is_protected_like_a_page(client):
    missing = client.get("/static/0/nothing.css")
    assert missing.status_code == 404
    assert missing.headers["Content-Security-Policy"].startswith("default-src 'none'")
