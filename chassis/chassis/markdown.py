"""Markdown to safe HTML; rendered once, when a text is written."""

import re
from collections.abc import Callable, Iterable
from html import escape
from typing import Any

import nh3
from markdown_it import MarkdownIt
from markdown_it.parser_inline import ParserInline
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token

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
_ATTRIBUTES = {
    "a": {"href", "title"},
    "code": {"class"},
    "ol": {"start"},
    "td": {"class"},
    "th": {"class"},
}
_SCHEMES = {"http", "https", "mailto"}
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):", re.IGNORECASE)
_CELL_CLASS = "align-"
_CLASSES = re.compile(r"language-[\w+#.-]{1,40}|align-(?:left|center|right)")


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


class _Parser(MarkdownIt):
    """Parser that makes no link of an address whose scheme is not allowed."""

    def validateLink(self, url: str) -> bool:  # noqa: N802
        scheme = _SCHEME.match(url)
        return scheme is None or scheme[1].lower() in _SCHEMES


class _InlineParser(ParserInline):
    """Parser of the text within a block, which also counts the tokens that it skips."""

    def skipToken(self, state: StateInline) -> None:  # noqa: N802
        _count_step(state)
        super().skipToken(state)


def _build_parser() -> MarkdownIt:
    parser = _Parser()
    parser.inline = _InlineParser()
    parser.configure("commonmark", {"html": False, "breaks": True})
    parser.enable(["table", "strikethrough"])
    for ruler in (parser.block.ruler, parser.inline.ruler, parser.inline.ruler2):
        for rule in ruler.__rules__:
            rule.fn = _counted(rule.fn)
    parser.core.ruler.after("block", "count_tokens", _count_tokens)
    parser.inline.ruler2.push("count_tokens", _count_tokens)
    parser.core.ruler.push("adapt", _adapt)
    return parser


def _adapt(state: StateCore) -> None:
    """Adapt the tokens of a text to the pages that show it."""
    for token in state.tokens:
        if token.type in {"heading_open", "heading_close"}:
            # The page's title is above the text.
            token.tag = f"h{min(6, int(token.tag[1]) + 1)}"
        elif token.type in {"th_open", "td_open"} and (style := token.attrs.pop("style", "")):
            # Pages permit no styles in attributes.
            token.attrs["class"] = _CELL_CLASS + str(style).removeprefix("text-align:")
        elif token.type == "inline":
            token.children = _adapt_links(token.children or ())


def _adapt_links(tokens: Iterable[Token]) -> list[Token]:
    """Turn images into links, and give a text to those links that have none.

    An image would make every reader's browser call a third-party server; a link waits for a click.
    """
    adapted: list[Token] = []
    link: Token | None = None
    for token in tokens:
        if token.type == "image":
            text = _text(token.content or ("" if link else str(token.attrs["src"])))
            if link:
                adapted.append(text)
            else:
                opening = Token("link_open", "a", 1, attrs={"href": token.attrs["src"]})
                adapted += [opening, text, Token("link_close", "a", -1)]
            continue
        if token.type == "link_open":
            link = token
        elif token.type == "link_close":
            if link is adapted[-1]:
                adapted.append(_text(str(link.attrs["href"])))
            link = None
        adapted.append(token)
    return adapted


def _text(content: str) -> Token:
    return Token("text", "", 0, content=content)


_parser = _build_parser()


def render(text: str) -> str:
    """Render Markdown to inert HTML; a text that needs or makes too much stays plain."""
    try:
        tokens = _parser.parse(text, {"steps": 0})
    except _TooMuchWork:
        return _plain(text)
    html = _parser.renderer.render(tokens, _parser.options, {})
    if len(html) <= MAX_HTML:
        html = nh3.clean(
            html,
            tags=_TAGS,
            attributes=_ATTRIBUTES,
            attribute_filter=_filter_attribute,
            url_schemes=_SCHEMES,
            link_rel="nofollow noopener ugc",
        )
        if len(html.encode()) <= MAX_HTML:
            return html
    return _plain(text)


def _filter_attribute(_tag: str, name: str, value: str) -> str | None:
    return value if name != "class" or _CLASSES.fullmatch(value) else None


def _plain(text: str) -> str:
    return "<p>" + escape(text, quote=False).replace("\n", "<br>\n") + "</p>\n"
