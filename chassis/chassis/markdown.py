"""Markdown to safe HTML; rendered once, when a text is written."""

import re
from collections.abc import Callable, Iterable
from functools import partial
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
CHARACTERS_PER_STEP = 50
"""Characters that the rule for addresses reads in about the time of a step. At each `://`, it reads
the text before it and all that may be the address."""

_TAGS = {
    "a", "blockquote", "br", "code", "del", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li",
    "ol", "p", "pre", "s", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip
_ATTRIBUTES = {
    "a": {"href", "title"},
    "code": {"class"},
    "li": {"class"},
    "ol": {"start"},
    "td": {"class"},
    "th": {"class"},
}
_SCHEMES = {"http", "https", "mailto"}
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):", re.IGNORECASE)
_NO_HOST = re.compile(r"https?://(?:[/?#]|$)", re.IGNORECASE)
_SPACE = re.compile(r"\s")
_CELL_CLASS = "align-"
_TASK_CLASS = "task"
_CLASSES = re.compile(rf"language-[\w+#.-]{{1,40}}|align-(?:left|center|right)|{_TASK_CLASS}")
_TASK = re.compile(r"\[([ xX])\](?=\s)")


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


def _count_address(state: StateInline, silent: bool, *, rule: Callable[..., bool]) -> bool:
    if not state.src.startswith("://", state.pos):
        return False
    end = _SPACE.search(state.src, state.pos)
    read = len(state.pending) + (end.start() if end else len(state.src)) - state.pos
    state.env["steps"] += read // CHARACTERS_PER_STEP
    return rule(state, silent)


class _Parser(MarkdownIt):
    """Parser that makes no link of an address without a host or with another scheme."""

    def validateLink(self, url: str) -> bool:  # noqa: N802
        scheme = _SCHEME.match(url)
        # Normalization drops a host of more than 255 characters.
        return scheme is None or (scheme[1].lower() in _SCHEMES and not _NO_HOST.match(url))

    def normalizeLinkText(self, link: str) -> str:  # noqa: N802
        """Return an address as it was typed, so that nothing of the text is lost."""
        return link


class _InlineParser(ParserInline):
    """Parser of the text within a block, which also counts the tokens that it skips."""

    def skipToken(self, state: StateInline) -> None:  # noqa: N802
        _count_step(state)
        super().skipToken(state)


def _build_parser() -> MarkdownIt:
    parser = _Parser()
    parser.inline = _InlineParser()
    parser.configure("commonmark", {"html": False, "breaks": True, "linkify": True})
    parser.enable(["table", "strikethrough"])
    # Addresses with a scheme only. The rule of the same name for the whole text would find names of
    # files, such as setup.py, to be hosts.
    parser.inline.ruler.enable("linkify")
    for ruler in (parser.block.ruler, parser.inline.ruler, parser.inline.ruler2):
        for rule in ruler.__rules__:
            rule.fn = _counted(rule.fn)
            if rule.name == "linkify":
                rule.fn = partial(_count_address, rule=rule.fn)
    parser.core.ruler.after("block", "count_tokens", _count_tokens)
    parser.inline.ruler2.push("count_tokens", _count_tokens)
    parser.core.ruler.push("adapt", _adapt)
    return parser


def _adapt(state: StateCore) -> None:
    """Adapt the tokens of a text to the pages that show it."""
    for item, paragraph, text in zip(
        state.tokens, state.tokens[1:], state.tokens[2:], strict=False
    ):
        if item.type == "list_item_open" and paragraph.type == "paragraph_open":
            _adapt_task(item, text)
    for token in state.tokens:
        if token.type in {"heading_open", "heading_close"}:
            # The page's title is above the text.
            token.tag = f"h{min(6, int(token.tag[1]) + 1)}"
        elif token.type in {"th_open", "td_open"} and (style := token.attrs.pop("style", "")):
            # Pages permit no styles in attributes.
            token.attrs["class"] = _CELL_CLASS + str(style).removeprefix("text-align:")
        elif token.type == "inline":
            token.children = _adapt_links(token.children or ())


def _adapt_task(item: Token, text: Token) -> None:
    """Show whether an item of a list is done, by a character that needs no form control."""
    first = text.children[0] if text.children else None
    if first and first.type == "text" and (found := _TASK.match(first.content)):
        item.attrs["class"] = _TASK_CLASS
        first.content = ("☐" if found[1] == " " else "☑") + first.content[found.end() :]


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
