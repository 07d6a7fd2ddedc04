"""Documentation names files that exist."""

import re
from pathlib import Path

import pytest

from infra.runner.config import ROOT

# Pages about one component name its files as its code does.
ROOTS = (
    *(ROOT, ROOT / "chassis", ROOT / "chassis/chassis", ROOT / "monolith", ROOT / "monolith/forum"),
    *(ROOT / "services" / name for name in ("", "users", "threads", "posts")),
    *(ROOT / "services" / name / name for name in ("users", "threads", "posts")),
)
_PATH = re.compile(r"`([\w.-]+(?:/[\w.-]+)+\.(?:py|toml|yaml|json|md|html|sh))`")
_LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)")
_FENCE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
# Files of a running forum, or of a user.
_ELSEWHERE = re.compile(r"^(?:var|cdk\.out|package|application)/")


PAGES = sorted(
    page
    for pattern in ("*.md", "docs/**/*.md", "*/README.md", "services/*/README.md")
    for page in ROOT.glob(pattern)
    # The changelog names former files.
    if page.name != "CHANGELOG.md"
)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_paths_and_links_of_a_page_exist(page: Path) -> None:
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    paths = {path for path in _PATH.findall(text) if not _ELSEWHERE.match(path)}
    missing = {path for path in paths if not any((root / path).exists() for root in ROOTS)}
    missing |= {link for link in _LINK.findall(text) if not (page.parent / link).exists()}
    assert not missing
