"""Quotations: whose words they are, and how much of them."""

from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest
from flask import Flask

from chassis.markdown import render
from forum.posts.state import Post
from forum.users.state import Author
from forum.web.pages.quoting import MAX_QUOTE_LENGTH, quote_post

THREAD, POST = "1" * 36, "2" * 36


@pytest.fixture
def quote():
    app = Flask("test")
    app.add_url_rule("/threads/<thread_id>", "thread.page")

    def quote(body, name="Mara"):
        now = datetime.now(UTC)
        post = Post(
            id=POST,
            version=1,
            thread_id=THREAD,
            author=Author("3" * 36, name),
            body=body,
            html="",
            created_at=now,
            edited_at=None,
            deleted=False,
        )
        with app.test_request_context():
            return quote_post(post)

    return quote


class Paragraphs(HTMLParser):
    """The paragraphs and blocks of code in quotations, and all links."""

    def __init__(self, html):
        super().__init__()
        self.texts, self.links, self._open = [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        if tag != "br":
            self._open.append(tag)
        if tag in {"p", "pre"} and "blockquote" in self._open:
            self.texts.append("")
        if tag == "a":
            self.links.append(dict(attrs)["href"])

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if "blockquote" in self._open and {"p", "pre"} & set(self._open):
            self.texts[-1] += data


@pytest.mark.parametrize(
    "name",
    [
        "1. Mara", "AT&amp;T", "- Mara", "# Mara", "> Mara", "*_[Ada](x)", "a\\", "`x`", "<b>x</b>",
        "![x](y)", "~~x~~", "a | b", "https://x.example/a", "[x]: /y", "&copy;", "م د", "](x",
    ],
)  # fmt: skip
def test_name_in_a_quotation_is_shown_as_it_is(quote, name):
    shown = Paragraphs(render(quote("Words", name)))
    assert shown.texts == [f"{name} wrote:", "Words"]
    assert shown.links == [f"/threads/{THREAD}?at={POST}#post-{POST}"]


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        ("x" * 2000, 1000),
        ("字" * 2000, 1000),
        ("word " * 400, 999),
        ("x" * 995 + " " + "y" * 2000, 995),
        ("x y " + "z" * 2000, 1000),
        ("line\n" * 400, 999),
        ("x" * 998 + "e\u0301\u0302" * 10, 998),
        ("x" * 998 + "\U0001f469\u200d\U0001f680" * 10, 998),
    ],
)
def test_long_text_is_cut_and_says_so(quote, body, kept):
    shown = Paragraphs(render(quote(body)))
    assert shown.texts[1] == f"(The first {kept:,} of {len(body.strip()):,} characters.)"
    assert "".join(shown.texts[2:]) == body[:kept]


def test_text_of_the_largest_length_is_whole(quote):
    assert Paragraphs(render(quote("x" * MAX_QUOTE_LENGTH))).texts == ["Mara wrote:", "x" * 1000]


def test_code_that_is_cut_ends_with_the_quotation(quote):
    shown = Paragraphs(render(quote("```\n" + "x = 1\n" * 400 + "```") + "My reply"))
    assert shown.texts[0] == "Mara wrote:"
    assert shown.texts[1].startswith("(The first 999 of 2,407")
    assert shown.texts[2:] == ["x = 1\n" * 166]
