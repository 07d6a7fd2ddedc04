"""Markdown becomes HTML that is only structure, text and links to click."""

import sys
from collections import Counter
from html import escape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.markdown import MAX_HTML, render
from tests.support.xss import VECTORS, faults

LONGEST = 16_000
MAX_CALLS = 700_000
"""Maximum number of function calls for a text; they take less than 50 ms on a quiet machine."""

GROWING = {
    "one long link, many times": "[a]: http://x/" + "y" * 8000 + "\n\n" + "[a]" * 2600,
    "empty links": "[](a)" * 3200,
    "a table of empty cells": "a|" * 200 + "\n" + "-|" * 200 + "\n" + "a\n" * 7000,
}

HARD = {
    "links in links": "[a](b" * 3200,
    "images": "![" * 8000,
    "emphasis": "*_" * 8000,
    "emphasis in words": "a*b*" * 4000,
    "emphasis that never closes": "a**b_c " * 2285,
    "emphasis in emphasis": "*a " * 4000 + "b*" * 2000,
    "quotes": "> " * 8000,
    "lazy quotes": ">" * 19 + "a\n" + "b\n" * 7990,
    "lazy quotes, deeper than the parser goes": ">" * 200 + "a\n" + "b\n" * 7890,
    "lazy quotes, opened again": (">" * 19 + "a\n" + "a\n" * 19) * 271,
    "lists": "- " * 7999 + "a",
    "items": "- a\n" * 4000,
    "tasks": "- [ ] a\n" * 2000,
    "empty items": "-\n" * 8000,
    "items in quotes": ">- a\n" * 3200,
    "items of lazy lines": ">- " * 10 + "a\n" + "b\n" * 7980,
    "lists in lists": "".join("  " * depth + "- a\n" for depth in range(19)) * 35,
    "numbers": "1. " * 5 + "a\n" + "b\n" * 7990,
    "lines": "a\n" * 8000,
    "brackets": "[" * LONGEST,
    "brackets in brackets": "[" * 8000 + "]" * 8000,
    "brackets on lines": "[a\n" * 5333,
    "links": "[a](b) " * 2285,
    "backticks": " ".join("`" * n for n in range(178)),
    "code on lines": "`a\n`\n" * 3200,
    "angles": "<" * LONGEST,
    "addresses": "<http://a> " * 1454,
    "bare addresses": "https://a " * 1600,
    "bare addresses that end early": "http://a/(" * 1600,
    "bare addresses without a host": "x" * 8000 + "a://" * 2000,
    "bare addresses of many hosts": ("http://" + "a." * 30 + "_ ") * 230,
    "bare addresses of long hosts": ("http://" + "a-" * 120 + "_") * 64,
    "bare addresses in many scripts": ("http://" + "é" * 60 + ".é ") * 230,
    "brackets in bare addresses": ("http://a/" + "['(\"{") * 1140,
    "comments": "<!--" * 4000,
    "tags on lines": "<div>\n" * 2666,
    "entities": "&#0;" * 4000,
    "ampersands": "&" * LONGEST,
    "ampersands on lines": "&\n" * 8000,
    "references": "\n".join(f"[{n}]: x" for n in range(1700)),
    "references to one": "[a]: b\n" * 2285,
    "backslashes": "\\" * LONGEST,
    "a wide table": "a|" * 2600 + "\n" + "-|" * 2600 + "\n" + "a\n" * 2700,
    "a long table": "|a|a|\n|-|-|\n" + "|b|b|\n" * 2600,
    "lazy tables": ">" * 19 + "a|b\n" + "-|-\n" + "c|d\n" * 3990,
} | GROWING

PARTS = (
    "a", "b ", "é", "\t", "\n", "\n\n", "> ", ">", "- ", "* ", "1. ", "  ", "    ", "*", "**", "_",
    "~~", "`", "```\n", "[", "]", "](b)", "[a]: b\n", "![", "<", ">", "<a@b.c>", "<!--", "&",
    "&amp;", "\\", "|", "-|", "|-|-|\n", "# ", "---\n", "=\n",
    "://", "https://a/", "(", "[ ] ",
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("one\ntwo\n\nthree", "<p>one<br>\ntwo</p>\n<p>three</p>\n"),
        ("**a** *b* ~~c~~ `d`", "<p><strong>a</strong> <em>b</em> <s>c</s> <code>d</code></p>\n"),
        ("# Title", "<h2>Title</h2>\n"),
        ("Deep\n-\n\n##### Deeper", "<h3>Deep</h3>\n<h6>Deeper</h6>\n"),
        ("3. x\n4. y", '<ol start="3">\n<li>x</li>\n<li>y</li>\n</ol>\n'),
        ("> x", "<blockquote>\n<p>x</p>\n</blockquote>\n"),
        ("```python\na < b\n```", '<pre><code class="language-python">a &lt; b\n</code></pre>\n'),
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
    assert "<td>1</td>" in html
    assert '<td class="align-right">2</td>' in html
    assert not faults(html)


A = '<a href="{}" rel="nofollow noopener ugc">{}</a>'


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("![a *b*](https://x.example/1)", A.format("https://x.example/1", "a *b*")),
        ("![](https://x.example/1)", A.format("https://x.example/1", "https://x.example/1")),
        ("[![x](/1)](/2)", A.format("/2", "x")),
        ("[![](/1)](/2)", A.format("/2", "")),
        ("[](/1)", A.format("/1", "/1")),
        ("![x](data:image/png;base64,x)", "![x](data:image/png;base64,x)"),
        ("![x](tel:1)", "![x](tel:1)"),
        ("[x](tel:1)", "[x](tel:1)"),
        ("<tel:1>", "&lt;tel:1&gt;"),
        ("[x](HTTPS://x.example)", A.format("HTTPS://x.example", "x")),
        ("[x](a:b)", "[x](a:b)"),
        ("[x](./a:b)", A.format("./a:b", "x")),
    ],
)
def test_link_has_an_address_and_a_text(text, html):
    assert render(text) == f"<p>{html}</p>\n"


@pytest.mark.parametrize(
    ("text", "html"),
    [
        (
            "see https://x.example/a_b_c*d*.",
            f"see {A.format(*2 * ['https://x.example/a_b_c*d'])}*.",
        ),
        ("(http://x.example/y_(z))", f"({A.format(*2 * ['http://x.example/y_(z)'])})"),
        (
            "**HTTPS://x.example**",
            f"<strong>{A.format(*2 * ['HTTPS://x.example'])}</strong>",
        ),
        (
            "看https://例え.example/路",
            "看" + A.format("https://xn--r8jz45g.example/%E8%B7%AF", "https://例え.example/路"),
        ),
        ("https://x.example/%41", A.format(*2 * ["https://x.example/%41"])),
        ("`https://x.example`", "<code>https://x.example</code>"),
        ("[https://x.example](/1)", A.format("/1", "https://x.example")),
        ("setup.py www.x.example ann@x.example", "setup.py www.x.example ann@x.example"),
        ("ftp://x.example tel://1 javascript://x", "ftp://x.example tel://1 javascript://x"),
        ("http://", "http://"),
        (f"http://{'a' * 300}/x", f"http://{'a' * 300}/x"),
        (f"[x](http://{'a.' * 200})", f"[x](http://{'a.' * 200})"),
    ],
)
def test_bare_address_becomes_a_link(text, html):
    assert render(text) == f"<p>{html}</p>\n"


@pytest.mark.parametrize("name", ["bare addresses that end early", "bare addresses without a host"])
def test_addresses_that_need_long_reading_are_left_unrendered(name):
    text = HARD[name]
    assert render(f"{text}\n\n*x*") == f"<p>{text}<br>\n<br>\n*x*</p>\n"


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("- [ ] a\n- [x] *b*", '<li class="task">☐ a</li>\n<li class="task">☑ <em>b</em></li>'),
        ("- [X] a", '<li class="task">☑ a</li>'),
        (
            "- [ ] https://x.example",
            f'<li class="task">☐ {A.format(*2 * ["https://x.example"])}</li>',
        ),
        ("- [x](/1) a", f"<li>{A.format('/1', 'x')} a</li>"),
        ("- [ ]a\n- [y] b", "<li>[ ]a</li>\n<li>[y] b</li>"),
        ("- a\n- [ ]", "<li>a</li>\n<li>[ ]</li>"),
        ("- `[ ] a`", "<li><code>[ ] a</code></li>"),
    ],
)
def test_item_with_a_box_is_a_task(text, html):
    assert render(text) == f"<ul>\n{html}\n</ul>\n"


def test_box_outside_a_list_is_text():
    assert render("[ ] a") == "<p>[ ] a</p>\n"
    assert render("- a\n\n  [ ] b") == "<ul>\n<li>\n<p>a</p>\n<p>[ ] b</p>\n</li>\n</ul>\n"


def test_class_of_code_is_the_language_alone():
    assert "<code>" in render("```\na\n```")
    assert '<code class="language-c++">' in render("```c++ highlighted\na\n```")
    assert "<code>" in render('```a"b\na\n```')
    assert "<code>" in render(f"```{'a' * 50}\na\n```")


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


def count_calls(text):
    """Return the number of function calls that rendering a text takes."""
    calls = Counter()
    before = sys.getprofile()
    sys.setprofile(lambda _frame, event, _argument: calls.update((event,)))
    try:
        render(text)
    finally:
        sys.setprofile(before)
    return calls["call"] + calls["c_call"]


@pytest.mark.parametrize("name", HARD)
def test_hard_text_takes_bounded_work(name):
    text = HARD[name]
    assert len(text) > LONGEST * 0.9
    assert count_calls(text[:LONGEST]) < MAX_CALLS
    assert faults(render(text)) == []


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.lists(st.sampled_from(PARTS), min_size=1), st.integers(1, 8000))))
def test_any_text_takes_bounded_work(repeated):
    text = "".join("".join(parts) * times for parts, times in repeated)
    text = text[:LONGEST] or "a"
    assert count_calls((text * LONGEST)[:LONGEST] if len(text) < 100 else text) < MAX_CALLS


def test_text_that_takes_too_much_work_is_left_unrendered():
    text = HARD["lazy quotes"]
    assert render(text) == "<p>" + escape(text).replace("\n", "<br>\n") + "</p>\n"


def test_long_text_with_much_markup_is_rendered():
    part = "Some *words* with `code`, and [a link](https://x.example/y) in a sentence.\n"
    table = "| a | b |\n|---|---|\n| 1 | 2 |\n"
    text = f"# Title\n\n{part * 3}\n- {part}- {part}\n> {part}\n{table}\n"
    html = render((text * 30)[:LONGEST])
    assert html.count("<table>") > 20
