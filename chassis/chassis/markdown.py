"""Markdown to safe HTML; rendered once, when a text is written."""

from html import escape

import nh3
from markdown_it import MarkdownIt

MAX_HTML = 128 * 1024
"""Maximum bytes of a rendered text. A text of 16,000 characters stays below, unless it is made to
grow (one long link referenced a thousand times, a table of empty cells)."""

# An image would make every reader's browser call a third-party server; a link waits for a click.
_parser = (
    MarkdownIt("commonmark", {"html": False, "breaks": True})
    .enable(["table", "strikethrough"])
    .disable("image")
)

# The work for a table grows with columns times lines, whatever their content.
MAX_CELLS = 10_000
_without_tables = (
    MarkdownIt("commonmark", {"html": False, "breaks": True})
    .enable("strikethrough")
    .disable("image")
)

_TAGS = {
    "a", "blockquote", "br", "code", "del", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li",
    "ol", "p", "pre", "s", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip
_ATTRIBUTES = {"a": {"href", "title"}, "ol": {"start"}}


def render(text: str) -> str:
    """Render Markdown to inert HTML; a text with too large a result stays plain."""
    lines = text.split("\n")
    cells = len(lines) * max(line.count("|") for line in lines)
    parser = _parser if cells <= MAX_CELLS else _without_tables
    tokens = parser.parse(text)
    for token in tokens:
        if token.type in {"heading_open", "heading_close"}:
            # The page has its own title and section headings above the text.
            token.tag = f"h{min(6, int(token.tag[1]) + 2)}"
    html = parser.renderer.render(tokens, parser.options, {})
    if len(html) <= MAX_HTML:
        html = nh3.clean(
            html,
            tags=_TAGS,
            attributes=_ATTRIBUTES,
            url_schemes={"http", "https", "mailto"},
            link_rel="nofollow noopener ugc",
        )
        if len(html.encode()) <= MAX_HTML:
            return html
    return "<p>" + escape(text, quote=False).replace("\n", "<br>\n") + "</p>\n"
