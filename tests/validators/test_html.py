"""The HTML of the pages, checked by html-validate."""

import re
from pathlib import Path
from urllib.parse import urlsplit

from infra.gateway.local_replies import PAGE
from tests.e2e.conftest import new_name
from tests.e2e.support.content import Content
from tests.e2e.support.visitor import PASSWORD, Visitor
from tests.support.harness import Stack
from tests.validators.support.programs import Validators

CONFIGURATION = Path(__file__).with_name("html-validate.json")
"""All recommended rules. A page's title may be longer than their 70 characters, since it begins
with a thread's title, which has up to 120 and is not the forum's to shorten."""


def _validate(installed: Validators, *files: Path) -> tuple[int, str]:
    done = installed.run(
        *("html-validate", "--config", CONFIGURATION, "--formatter", "text", "--max-warnings", "0"),
        *files,
    )
    return done.returncode, done.stdout + done.stderr


class _Collection:
    """The pages that visitors see, in a file each."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.files: list[Path] = []

    def add(self, visitor: Visitor, status: int, name: str = "") -> None:
        """Store the page that a visitor sees, which must have this status."""
        assert visitor.status == status, visitor.path
        assert visitor.response.headers["Content-Type"].startswith("text/html"), visitor.path
        named = name or re.sub(r"[^a-z]+", "-", urlsplit(visitor.path).path) + visitor.path[-4:]
        file = self._folder / f"{len(self.files):02}{named.replace('/', '-')}.html"
        file.write_bytes(visitor.response.content)
        self.files.append(file)


def test_pages_are_valid_html(
    after: Stack, content: Content, installed: Validators, tmp_path: Path
) -> None:
    pages = _Collection(tmp_path)
    anyone, member, moderator = (Visitor(after.base_url) for _ in range(3))
    for path in (
        *("/", "/?sort=newest", "/?q=the", "/?q=zebra", content.thread, content.odd),
        *(f"{content.thread}?at={content.post}", content.person, "/register", "/sign-in"),
        *("/status", "/api/docs", "/threads/new"),
    ):
        anyone.open(path)
        pages.add(anyone, 200)
    anyone.open("/nothing")
    pages.add(anyone, 404)
    anyone.send("/", {})
    pages.add(anyone, 405)

    member.sign_in(content.member)
    for path in (
        *("/", content.thread, f"{content.thread}?at=newest&quote={content.post}", "/me"),
        *("/threads/new", f"/posts/{content.post}/edit", f"{content.thread}/edit"),
    ):
        member.open(path)
        pages.add(member, 200)
    form = member.open("/threads/new").form("/threads/new")
    member.submit(form, title=" ", body="x")
    pages.add(member, 400, "refused")
    member.send("/threads/new", {"title": "x"}, Sec_Fetch_Site="cross-site")
    pages.add(member, 403)

    moderator.sign_in(content.moderator)
    for path in (content.odd, content.person):
        moderator.open(path)
        pages.add(moderator, 200)

    leaving = Visitor(after.base_url)
    leaving.register(new_name("leaving"))
    form = leaving.open("/me").form("/me", action="erase")
    leaving.submit(form, password=PASSWORD, confirm="yes")
    pages.add(leaving, 200, "erased")

    unavailable = tmp_path / "gateway.html"
    unavailable.write_text(PAGE, encoding="utf-8")
    code, said = _validate(installed, *pages.files, unavailable)
    assert code == 0, said


def test_html_validate_refuses_a_small_fault(installed: Validators, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    file.write_text("<!DOCTYPE html><html lang=en><head><title>x</title></head><button>y</button>")
    code, said = _validate(installed, file)
    assert (code, "no-implicit-button-type" in said) == (1, True)
