"""The course as HTML pages: complete, and without a link that leads nowhere."""

from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from labs import preview
from labs.course import Course, read_course

COURSE = read_course()


class Page(HTMLParser):
    """The ids, links and loaded files of a page, and how many parts are folded."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.file = file
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.folded = 0
        self.feed(file.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.ids |= {value for name, value in attrs if name == "id" and value}
        self.folded += tag == "details"
        if tag == "a" and (target := given.get("href")):
            self.links.append(target)
        if tag in {"script", "img", "link"} and (source := given.get("src") or given.get("href")):
            self.loaded.append(source)


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, Page]:
    index = preview.write_pages(COURSE, tmp_path_factory.mktemp("preview"))
    return {file: Page(file) for file in index.parent.rglob("*.html")}


def page_of(pages: dict[Path, Page], name: str) -> Page:
    return next(page for file, page in pages.items() if file.as_posix().endswith(f"/html/{name}"))


def test_every_lab_has_a_page_with_its_hints_and_answers(pages: dict[Path, Page]) -> None:
    for lab in COURSE.labs:
        page = page_of(pages, f"labs/lab{lab.number:02}.html")
        assert page.folded == 4 * len(lab.steps) + len(lab.questions)
        assert f"labs/lab{lab.number:02}.html" in page_of(pages, "index.html").links


def test_links_and_loaded_files_exist(pages: dict[Path, Page]) -> None:
    for file, page in pages.items():
        for target in page.links + page.loaded:
            parts = urlsplit(target)
            if parts.scheme or parts.netloc:
                assert target not in page.loaded, f"{file} loads {target}"
                continue
            found = (file.parent / unquote(parts.path)).resolve() if parts.path else file
            assert found.is_file(), f"{file} links to {target}"
            if parts.fragment and found in pages:
                assert unquote(parts.fragment) in pages[found].ids, f"{file} links to {target}"


def test_link_without_a_target_is_an_error(tmp_path: Path) -> None:
    lab = COURSE.labs[0]
    broken = tmp_path / "step_1"
    broken.mkdir()
    for file in lab.steps[0].folder.glob("*.*"):
        (broken / file.name).write_bytes(file.read_bytes())
    (broken / "step.md").write_text("# 0.1 A step\n\n[page](missing.md)\n")
    course = Course((replace(lab, steps=(replace(lab.steps[0], folder=broken),)),))
    with pytest.raises(preview.PreviewError, match=r"links to .*missing\.md, which does not exist"):
        preview.write_pages(course, tmp_path / "preview")
