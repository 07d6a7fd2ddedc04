"""A person with a real browser."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Locator, Page

from tests.support.eventually import EventSettling
from tests.support.harness import Stack

TIME = re.compile(r"just now|\d+ (minute|hour)s? ago")
PATH = re.compile(r"/(threads|posts|users)/[0-9a-f-]{36}")

_REFUSED = re.compile(r"the server responded with a status of 4\d\d")


def sign_in(page: Page, username: str, password: str) -> None:
    """Sign in by the form, and wait for the first page."""
    page.goto("/sign-in")
    page.get_by_label("Username").fill(username)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/")


class Session:
    """A person with a browser; records the visible text."""

    def __init__(self, page: Page, stack: Stack) -> None:
        self.page = page
        self.url = stack.base_url
        self.seen: list[str] = []
        self._settling = EventSettling(stack)

    def look(self, at: str = "main") -> str:
        """Record the visible text of the page, without times and ids."""
        text = self.page.locator(at).inner_text()
        path = PATH.sub(r"/\1/ID", self.page.url.removeprefix(self.url))
        path = re.sub(r"at=[0-9a-f-]{36}(&done=\w+)?#post-[0-9a-f-]{36}", "at=ID", path)
        lines = [line for line in TIME.sub("(a time)", text).splitlines() if line.strip()]
        seen = "\n".join([f"{path} · {self.page.title()}", *lines])
        self.seen.append(seen)
        return seen

    def settled(self) -> None:
        """Wait until writes are visible everywhere, and reload the page."""
        # First the browser: its answer may still be on its way, and what it asked for not yet done.
        self.page.wait_for_load_state("networkidle")
        self._settling.wait()
        self.page.reload()

    def follow(self, name: str) -> None:
        """Click on a link."""
        self._click(self.page.get_by_role("link", name=name, exact=True).first)

    def press(self, name: str) -> None:
        """Press a button."""
        self._click(self.page.get_by_role("button", name=name, exact=True))

    def _click(self, what: Locator) -> None:
        what.click()
        # Its answer has begun by now. Whoever leaves the page before its scripts have run could
        # take what they do to the address for the next page.
        self.page.wait_for_load_state()

    def type(self, **fields: str) -> None:
        """Fill in fields by their labels."""
        for label, text in fields.items():
            self.page.get_by_label(label.replace("_", " "), exact=True).fill(text)


@contextmanager
def opened(browser: Browser, stack: Stack, *, scripts: bool) -> Iterator[Session]:
    """Open a new browser window, whose console must show no error."""
    complaints: list[str] = []
    url = stack.base_url
    with browser.new_context(java_script_enabled=scripts, base_url=url) as context:
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append(dialog.message))
        page.on(
            "request",
            lambda request: None if request.url.startswith(url) else complaints.append(request.url),
        )
        page.on(
            "response",
            lambda answer: complaints.append(answer.url) if answer.status >= 500 else None,
        )
        yield Session(page, stack)
    # The browser notes the answers that a form was refused with; these are asked for.
    unasked = [text for text in complaints if not _REFUSED.search(text)]
    assert not unasked, unasked
