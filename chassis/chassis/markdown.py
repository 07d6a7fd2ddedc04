"""Markdown to safe HTML; rendered once, when a text is written."""

from collections.abc import Callable
from html import escape
from typing import Any

import nh3
from markdown_it import MarkdownIt
from markdown_it.parser_inline import ParserInline
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline

MAX_HTML = 128 * 1024
"""Maximum bytes of a rendered text. A text of 16,000 characters stays below, unless it is made to
grow (one long link referenced a thousand times, a table of empty cells)."""

MAX_STEPS = 30_000
"""Maximum work for a text: rules of the parser that are tried, and tokens that they produce.

Rules are tried once per line and depth, column or bracket, so a text of 16,000 characters can be
made to need millions of steps. A long text in prose, with lists, links and tables, needs half."""
STEPS_PER_TOKEN = 4

_TAGS = {
    "a", "blockquote", "br", "code", "del", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li",
    "ol", "p", "pre", "s", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip
_ATTRIBUTES = {"a": {"href", "title"}, "ol": {"start"}}


class _TooMuchWork(Exception):
    """The steps of a text exceed their maximum."""


def _count_step(state: Any) -> None:
    """Count a step of the text that is parsed.

    The tokens of the current block or line are counted by their number, because they grow between
    two steps; `_count_tokens` adds them when it is complete.
    """
    state.env["steps"] += 1
    if state.env["steps"] + STEPS_PER_TOKEN * len(state.tokens) > MAX_STEPS:
        raise _TooMuchWork


def _count_tokens(state: StateCore | StateInline) -> None:
    state.env["steps"] += STEPS_PER_TOKEN * len(state.tokens)


def _counted(rule: Callable[..., Any]) -> Callable[..., Any]:
    def counted(state: Any, *arguments: Any) -> Any:
        _count_step(state)
        return rule(state, *arguments)

    return counted


class _InlineParser(ParserInline):
    """Parser of the text within a block, which also counts the tokens that it skips."""

    def skipToken(self, state: StateInline) -> None:  # noqa: N802
        _count_step(state)
        super().skipToken(state)


def _build_parser() -> MarkdownIt:
    parser = MarkdownIt()
    parser.inline = _InlineParser()
    parser.configure("commonmark", {"html": False, "breaks": True})
    parser.enable(["table", "strikethrough"])
    # An image would make every reader's browser call a third-party server; a link waits for a
    # click.
    parser.disable("image")
    for ruler in (parser.block.ruler, parser.inline.ruler, parser.inline.ruler2):
        for rule in ruler.__rules__:
            rule.fn = _counted(rule.fn)
    parser.core.ruler.after("block", "count_tokens", _count_tokens)
    parser.inline.ruler2.push("count_tokens", _count_tokens)
    return parser


_parser = _build_parser()


def render(text: str) -> str:
    """Render Markdown to inert HTML; a text that needs or makes too much stays plain."""
    try:
        tokens = _parser.parse(text, {"steps": 0})
    except _TooMuchWork:
        return _plain(text)
    for token in tokens:
        if token.type in {"heading_open", "heading_close"}:
            # The page has its own title and section headings above the text.
            token.tag = f"h{min(6, int(token.tag[1]) + 2)}"
    html = _parser.renderer.render(tokens, _parser.options, {})
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
    return _plain(text)


def _plain(text: str) -> str:
    return "<p>" + escape(text, quote=False).replace("\n", "<br>\n") + "</p>\n"
