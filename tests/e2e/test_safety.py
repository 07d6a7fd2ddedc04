"""Security of pages: no forged forms, open redirects, injected scripts or readable cookies."""

import re
from http.cookies import SimpleCookie

import pytest
import requests

from tests.e2e.conftest import NewVisitor, Settle, new_name
from tests.e2e.support.html import Page
from tests.e2e.support.visitor import PASSWORD, Visitor
from tests.support.harness import Stack

ELSEWHERE = "https://elsewhere.example"
INLINE = re.compile(r"on\w+|style")

OPEN_TO_ALL = (
    "/",
    "/?sort=newest",
    "/?q=x",
    "/register",
    "/sign-in",
    "/sign-in?next=/me",
    "/status",
    "/api/docs",
)
REFUSED = ("/nothing", "/threads/1", "/users/1", "/posts/1/edit", "/threads/")
HOSTILE = "\"><script>alert(1)</script><img src=x onerror=alert(1)>'{{7*7}}"


def _check_page(response: requests.Response) -> None:
    """Check the invariants of every page."""
    policy = response.headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    directives = dict(part.strip().partition(" ")[::2] for part in policy.split(";"))
    assert directives["default-src"] in {"'none'", "'self'"}
    assert directives["script-src"] in {"'none'", "'self'"}
    assert directives["style-src"] == "'self'"
    assert directives["form-action"] == "'self'"
    assert directives["base-uri"] == "'none'"
    assert directives["frame-ancestors"] == "'none'"
    assert "swagger-ui" in response.text or (directives["require-trusted-types-for"] == "'script'")
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "camera=()" in response.headers["Permissions-Policy"]
    assert response.headers["Referrer-Policy"]
    assert response.headers["Cache-Control"] in {"no-cache", "no-store", "private, no-cache"}
    assert "Cookie" in response.headers["Vary"]
    assert response.headers["X-Request-Id"]
    page = Page(response.text)
    for tag in page.tags:
        assert tag.name not in {"style", "iframe", "object", "embed", "base"}, tag
        assert tag.name != "script" or tag.attributes.get("src", "").startswith("/static/"), tag
        assert not any(INLINE.fullmatch(name) for name in tag.attributes), tag
        for name in ("href", "src", "action"):
            assert not tag.attributes.get(name, "").lower().startswith(("javascript:", "data:"))
    for form in page.forms:
        assert form.action.startswith("/")
    assert [tag.name for tag in page.tags].count("h1") == 1
    assert "Traceback" not in response.text


@pytest.fixture
def thread(somebody: Visitor, settle: Settle) -> str:
    """Return the path of a thread that holds hostile words."""
    somebody.open_thread(f"A thread {HOSTILE}", f"A post {HOSTILE}")
    settle()
    return somebody.path.partition("?")[0]


def test_no_page_has_inline_scripts_or_styles(
    somebody: Visitor, visitor: NewVisitor, thread: str
) -> None:
    form = somebody.open("/me").form("/me", action="profile")
    somebody.submit(form, display_name=HOSTILE[:50], bio=HOSTILE)
    post = re.search(r'id="post-([0-9a-f-]+)"', somebody.open(thread).source)
    assert post
    author = re.search(r'href="(/users/[0-9a-f-]+)"', somebody.page.source)
    assert author
    private = ("/me", "/threads/new", f"/posts/{post[1]}/edit", f"{thread}?order=newest")
    for path in (*OPEN_TO_ALL, *REFUSED, *private, thread, author[1]):
        for person in (somebody, visitor()):
            person.open(path)
            _check_page(person.response)
            assert person.status < 500, path
            assert person.status == 200 or path not in OPEN_TO_ALL, path
    assert "<script>" not in somebody.open(thread).source
    assert "{{7*7}}" in somebody.page.text


def test_anonymous_pages_hold_no_token_and_set_no_cookie(visitor: NewVisitor, thread: str) -> None:
    nobody = visitor()
    for path in (*OPEN_TO_ALL, *REFUSED, thread):
        nobody.open(path)
        assert "Set-Cookie" not in nobody.response.headers, path
        assert "csrf" not in nobody.page.source, path
    assert not nobody.http.cookies


def test_anonymous_pages_are_the_same_for_everyone(visitor: NewVisitor, thread: str) -> None:
    for path in ("/register", "/sign-in", thread):
        one, another = visitor().open(path).source, visitor().open(path).source
        assert one == another


def test_session_cookie_is_httponly_and_same_site(visitor: NewVisitor) -> None:
    person = visitor()
    form = person.open("/register").form("/register")
    fields = form.fields | {"username": new_name("cookie"), "password": PASSWORD}
    response = person.http.post(person.url + "/register", data=fields, allow_redirects=False)
    assert response.status_code == 303
    cookies = SimpleCookie(response.headers["Set-Cookie"])
    [(name, morsel)] = cookies.items()
    assert name == person.session_cookie
    assert morsel["httponly"] is True
    assert morsel["samesite"] == "Lax"
    assert morsel["path"] == "/"
    assert not morsel["domain"]
    assert not morsel["secure"], "plain HTTP was used"


def _everything_that_is_sent(somebody: Visitor, thread: str) -> dict[str, dict[str, str]]:
    source = somebody.open(thread).source
    post = re.search(r'id="post-([0-9a-f-]+)"', source)
    assert post
    return {
        "/threads/new": {"title": "Forged", "body": "Forged"},
        thread: {"body": "Forged"},
        f"/posts/{post[1]}/edit": {"body": "Forged"},
        f"/posts/{post[1]}/delete": {},
        f"{thread}/delete": {},
        f"{thread}/lock": {"locked": "true"},
        "/me": {"action": "profile", "display_name": "Forged", "bio": "Forged"},
        "/sign-out": {},
    }


def test_form_from_another_site_has_no_effect(
    somebody: Visitor, visitor: NewVisitor, thread: str
) -> None:
    token = somebody.open("/me").form("/me", action="profile").fields["csrf_token"]
    sent = _everything_that_is_sent(somebody, thread)
    sent["/me "] = {"action": "erase", "confirm": "yes", "password": PASSWORD}
    before = visitor().open(thread).text
    for path, fields in sent.items():
        for headers in (
            {"Origin": ELSEWHERE, "Sec_Fetch_Site": "cross-site"},
            {"Origin": ELSEWHERE, "Sec_Fetch_Site": None},
            {"Origin": None, "Sec_Fetch_Site": "cross-site"},
            {"Origin": None, "Sec_Fetch_Site": "same-site"},
            {"Origin": "null", "Sec_Fetch_Site": None},
        ):
            somebody.send(path.strip(), fields | {"csrf_token": token}, **headers)
            assert somebody.status == 403, f"{path} {headers}"
            assert "Set-Cookie" not in somebody.response.headers
            _check_page(somebody.response)
    assert visitor().open(thread).text == before
    assert somebody.token
    assert somebody.open("/me").heading == "Your account"


def test_form_without_the_csrf_token_has_no_effect(
    somebody: Visitor, visitor: NewVisitor, thread: str
) -> None:
    other = visitor()
    other.register(new_name("other"))
    others = other.open("/me").form("/me", action="profile").fields["csrf_token"]
    before = visitor().open(thread).text
    for path, fields in _everything_that_is_sent(somebody, thread).items():
        for token in ({}, {"csrf_token": ""}, {"csrf_token": others}, {"csrf_token": "é"}):
            somebody.send(path, fields | token)
            assert somebody.status == 403, f"{path} {token}"
    assert visitor().open(thread).text == before


def test_sign_in_from_another_site_has_no_effect(visitor: NewVisitor) -> None:
    """Login CSRF: another site can't sign a visitor in as somebody else."""
    name = new_name("victim")
    visitor().register(name)
    for path, fields in (
        ("/sign-in", {"username": name, "password": PASSWORD}),
        ("/register", {"username": new_name("forged"), "password": PASSWORD}),
    ):
        nobody = visitor()
        nobody.send(path, fields, Origin=ELSEWHERE, Sec_Fetch_Site="cross-site")
        assert nobody.status == 403
        assert not nobody.http.cookies


@pytest.mark.parametrize(
    "target",
    [
        ELSEWHERE,
        "//elsewhere.example",
        "///elsewhere.example",
        "////elsewhere.example",
        "/\\elsewhere.example",
        "\\\\elsewhere.example",
        "/\t/elsewhere.example",
        "\t//elsewhere.example",
        "/\n/elsewhere.example",
        " //elsewhere.example",
        "https:elsewhere.example",
        "https:/elsewhere.example",
        "javascript:alert(1)",
        "data:text/html,x",
        "elsewhere.example",
        "@elsewhere.example",
        "//[",
        "//[::1",
        "/ok\r\nSet-Cookie: x=y",
        "http://[",
        "\x00//elsewhere.example",
        "",
    ],
)
def test_signing_in_leads_to_no_other_site(target: str, visitor: NewVisitor) -> None:
    name = new_name("traveller")
    visitor().register(name)
    person = visitor()
    response = person.http.get(person.url + "/sign-in", params={"next": target})
    assert response.status_code == 200
    assert "elsewhere" not in response.text
    fields = {"username": name, "password": PASSWORD, "next": target}
    for path in ("/sign-in", "/register"):
        if path == "/register":
            fields |= {"username": new_name("traveller")}
        answer = person.http.post(person.url + path, data=fields, allow_redirects=False)
        person.http.cookies.clear()
        assert answer.status_code == 303, answer.text[:300]
        assert answer.headers["Location"] == "/"
        assert "Set-Cookie" in answer.headers


@pytest.mark.parametrize("target", ["/me", "/?q=a+b&sort=newest", "/threads/new", "/status#x"])
def test_signing_in_leads_back_to_the_previous_page(target: str, visitor: NewVisitor) -> None:
    name = new_name("returning")
    visitor().register(name)
    person = visitor()
    response = person.http.get(person.url + "/sign-in", params={"next": target})
    form = Page(response.text).form("/sign-in")
    fields = form.fields | {"username": name, "password": PASSWORD}
    answer = person.http.post(person.url + "/sign-in", data=fields, allow_redirects=False)
    assert answer.headers["Location"] == target


def test_anonymous_user_is_sent_to_sign_in_and_back(visitor: NewVisitor) -> None:
    name = new_name("returning")
    visitor().register(name)
    person = visitor()
    for path in ("/me", "/threads/new"):
        person.http.cookies.clear()
        form = person.open(path).form("/sign-in")
        assert person.path.startswith("/sign-in?next=")
        person.submit(form, username=name, password=PASSWORD)
        assert person.path == path


def test_forged_cookie_leaves_the_visitor_anonymous(visitor: NewVisitor, stack: Stack) -> None:
    person = visitor()
    person.http.cookies.set(person.session_cookie, "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.")
    page = person.open("/")
    assert person.status == 200
    assert "Sign in" in page.links


def test_logs_contain_no_password_and_no_token(visitor: NewVisitor, stack: Stack) -> None:
    person = visitor()
    person.register(new_name("quiet"))
    token = person.token
    assert len(token) > 100
    person.http.cookies.clear()
    person.sign_in("quiet", "a password that is wrong")
    for part in stack.config.servers:
        log = stack.log(part)
        assert PASSWORD not in log
        assert "a password that is wrong" not in log
        assert token not in log
