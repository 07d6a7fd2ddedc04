"""Markdown becomes HTML that is only structure, text and links to click."""

import time

import pytest

from chassis.markdown import MAX_HTML, render
from tests.support.xss import VECTORS, faults

LONGEST = 16_000

GROWING = {
    "one long link, many times": "[a]: http://x/" + "y" * 8000 + "\n\n" + "[a]" * 2600,
    "empty links": "[](a)" * 3200,
    "a table of empty cells": "a|" * 200 + "\n" + "-|" * 200 + "\n" + "a\n" * 7000,
}

HARD = {
    "brackets": "[" * LONGEST,
    "links in links": "[a](b" * 3200,
    "images": "![" * 8000,
    "emphasis": "*_" * 8000,
    "emphasis that never closes": "a**b_c " * 2285,
    "quotes": "> " * 8000,
    "lists": "- " * 7999 + "a",
    "backticks": " ".join("`" * n for n in range(178)),
    "angles": "<" * LONGEST,
    "comments": "<!--" * 4000,
    "entities": "&#0;" * 4000,
    "ampersands": "&" * LONGEST,
    "references": "\n".join(f"[{n}]: x" for n in range(1700)),
    "backslashes": "\\" * LONGEST,
}


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("one\ntwo\n\nthree", "<p>one<br>\ntwo</p>\n<p>three</p>\n"),
        ("**a** *b* ~~c~~ `d`", "<p><strong>a</strong> <em>b</em> <s>c</s> <code>d</code></p>\n"),
        ("# Title", "<h3>Title</h3>\n"),
        ("Deep\n-\n\n##### Deeper", "<h4>Deep</h4>\n<h6>Deeper</h6>\n"),
        ("3. x\n4. y", '<ol start="3">\n<li>x</li>\n<li>y</li>\n</ol>\n'),
        ("> x", "<blockquote>\n<p>x</p>\n</blockquote>\n"),
        ("```python\na < b\n```", "<pre><code>a &lt; b\n</code></pre>\n"),
        ("a < b & c > d", "<p>a &lt; b &amp; c &gt; d</p>\n"),
        (
            "[x](https://x.example 'y')",
            '<p><a href="https://x.example" title="y" rel="nofollow noopener ugc">x</a></p>\n',
        ),
        (
            "<ann@x.example>",
            '<p><a href="mailto:ann@x.example" rel="nofollow noopener ugc">ann@x.example</a></p>\n',
        ),
        ("[x](/threads/1)", '<p><a href="/threads/1" rel="nofollow noopener ugc">x</a></p>\n'),
    ],
)
def test_markdown_is_rendered(text, html):
    assert render(text) == html


def test_table_is_rendered():
    html = render("| a | b |\n|---|--:|\n| 1 | 2 |")
    assert "<table>" in html
    assert "<td>2</td>" in html
    assert not faults(html)


def test_image_is_rendered_as_a_link():
    assert "<img" not in render("![x](https://x.example/x.png)")


@pytest.mark.parametrize("vector", VECTORS)
def test_attack_stays_inert(vector):
    assert faults(render(vector)) == []


@pytest.mark.parametrize("vector", VECTORS)
def test_attack_stays_inert_inside_other_markup(vector):
    for frame in ("a {} b", "**{}**", "> {}", "- {}", "[{}](/x)", "`{}`", "| {} |\n|---|", "# {}"):
        assert faults(render(frame.format(vector))) == [], frame


def test_attacks_stay_inert_in_text_too_large_to_render():
    large = GROWING["one long link, many times"]
    html = render("\n\n".join((large, *VECTORS)))
    assert "<a" not in html
    assert faults(html) == []


@pytest.mark.parametrize("name", GROWING)
def test_text_that_would_grow_too_large_is_left_unrendered(name):
    html = render(GROWING[name])
    assert len(html.encode()) <= MAX_HTML
    assert "<a" not in html
    assert "<table" not in html


@pytest.mark.parametrize("text", ["𝕏" * LONGEST, "я" * LONGEST, "& " * (LONGEST // 2)])
def test_longest_text_is_within_the_limit(text):
    assert len(render(text).encode()) <= MAX_HTML


@pytest.mark.parametrize("name", HARD)
def test_hard_text_is_rendered_quickly(name):
    start = time.perf_counter()
    html = render(HARD[name])
    assert time.perf_counter() - start < 2
    assert faults(html) == []
