"""A visitor of the pages, with a browser that runs no scripts."""

from typing import Any
from urllib.parse import urlsplit

import requests

from infra.api_document import session_cookie
from tests.e2e.support.html import Form, Page

PASSWORD = "correct horse battery"
TIMEOUT = 30


class Visitor:
    """A browser that stores cookies, follows redirects, and sends a form's origin."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.http = requests.Session()
        self.http.trust_env = False
        self.response = requests.Response()
        self.page = Page("")

    @property
    def session_cookie(self) -> str:
        """The name of the cookie with the session."""
        return session_cookie(self.url)

    @property
    def token(self) -> str:
        """The session's token; empty if nobody is signed in."""
        return self.http.cookies.get(self.session_cookie) or ""

    def browser_cookies(self) -> list[Any]:
        """Return what signs in a browser with this session."""
        return [{"name": self.session_cookie, "value": self.token, "url": self.url}]

    @property
    def path(self) -> str:
        """The current path."""
        address = urlsplit(str(self.response.url))
        return address.path + (f"?{address.query}" if address.query else "")

    @property
    def status(self) -> int:
        """The status of the page."""
        return self.response.status_code

    def open(self, path: str) -> Page:
        """Open a page."""
        return self._show(self.http.get(self.url + path, timeout=TIMEOUT))

    def send(self, path: str, fields: dict[str, str], **headers: str | None) -> Page:
        """Send a form, by default with the headers of the forum's own pages."""
        own: dict[str, str | None] = {"Origin": self.url, "Sec-Fetch-Site": "same-origin"}
        sent = own | {name.replace("_", "-"): value for name, value in headers.items()}
        response = self.http.post(
            self.url + path,
            # As browsers do: a line break in a form is CR and LF.
            data={name: value.replace("\n", "\r\n") for name, value in fields.items()},
            headers={name: value for name, value in sent.items() if value is not None},
            timeout=TIMEOUT,
        )
        return self._show(response)

    def submit(self, form: Form, /, **fields: str) -> Page:
        """Fill in a form of the page and submit it."""
        unknown = fields.keys() - form.types.keys()
        assert not unknown, f"the form has no {unknown}"
        return self.send(form.action, form.fields | fields)

    def register(self, username: str, **fields: str) -> Page:
        """Open an account and sign in."""
        form = self.open("/register").form("/register")
        return self.submit(form, username=username, password=PASSWORD, **fields)

    def sign_in(self, username: str, password: str = PASSWORD) -> Page:
        """Sign in."""
        form = self.open("/sign-in").form("/sign-in")
        return self.submit(form, username=username, password=password)

    def open_thread(self, title: str, body: str) -> Page:
        """Start a thread; return its page."""
        form = self.open("/threads/new").form("/threads/new")
        return self.submit(form, title=title, body=body)

    def reply(self, body: str) -> Page:
        """Reply on the current thread's page."""
        return self.submit(self.page.form(urlsplit(self.path).path), body=body)

    def _show(self, response: requests.Response) -> Page:
        self.response = response
        kind = response.headers.get("Content-Type", "")
        assert kind == "text/html; charset=utf-8", f"{response.status_code} {kind}"
        self.page = Page(response.text)
        return self.page
