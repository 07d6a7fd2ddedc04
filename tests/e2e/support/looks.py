"""Accessibility checks by axe-core, and screenshots."""

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from infra.runner.config import ROOT

PICTURES = ROOT / "var" / "screenshots"
WIDE, NARROW = 1280, 360
# All of axe-core's rules for WCAG 2.2 AA and best practices.
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
OPTIONS = {"resultTypes": ["violations"], "runOnly": {"type": "tag", "values": TAGS}}


def look(page: Page, name: str, folder: str) -> list[str]:
    """Check a page in light and dark, wide and narrow; store screenshots, return violations."""
    wrong = []
    PICTURES.joinpath(folder).mkdir(parents=True, exist_ok=True)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        for width in (WIDE, NARROW):
            page.set_viewport_size({"width": width, "height": 800})
            picture = PICTURES / folder / f"{name}-{width}-{scheme}.png"
            page.screenshot(path=picture, full_page=True)
            scrolls = page.evaluate("document.documentElement.scrollWidth")
            if scrolls > width:
                wrong.append(f"{name} at {width} px is {scrolls} px wide")
            # Each width once and each scheme once; what is wrong with both at once is rare.
            if (width, scheme) in {(NARROW, "light"), (WIDE, "dark")}:
                wrong += [f"{name} {width} {scheme}: {text}" for text in judged(page)]
    return wrong


def judged(page: Page) -> list[str]:
    """Return axe-core's violations on a page, each with its element."""
    found = Axe().run(page, options=OPTIONS).response["violations"]
    return [
        f"{violation['id']}, {len(violation['nodes'])} times, first {node['html']}:"
        f" {node.get('failureSummary', '')}"
        for violation in found
        for node in violation["nodes"][:1]
    ]
