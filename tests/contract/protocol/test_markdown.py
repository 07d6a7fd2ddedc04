"""Markdown becomes HTML that is safe to show."""

import re

from tests.contract.support.client import Client
from tests.contract.support.people import Person
from tests.contract.support.selection import at_both_sides
from tests.contract.support.writing import open_thread, reply

pytestmark = at_both_sides
CORPUS = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "![x](https://elsewhere.example/pixel.png)",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](java\tscript:alert(1))",
    "[x](&#106;avascript:alert(1))",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "[x](vbscript:x)",
    '[x](https://a.example "onmouseover=alert(1)")',
    '[x](https://a.example" onmouseover="alert(1))',
    '<https://a.example/"onclick="alert(1)>',
    "<javascript:alert(1)>",
    "[x]: javascript:alert(1)\n\n[x]",
    "<style>*{display:none}</style>",
    "<iframe src=//elsewhere.example></iframe>",
    "<svg/onload=alert(1)>",
    "<math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>",
    "`<script>alert(1)</script>`",
    "```html\n<script>alert(1)</script>\n```",
    "    <b onclick=x>indented</b>",
    "<details open ontoggle=alert(1)>",
    "<a href='javascript:alert(1)'>x</a>",
    "[x](//elsewhere.example)",
    "[x](/sign-out)",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "<!-- comment --><![CDATA[x]]><?php x ?>",
    "| a |\n|---|\n| <script>x</script> |",
    "~~gone~~ **bold** *it* `code`\n\n1. one\n2. two\n\n> quote\n\n# Title\n\n---\n",
    "line\nbreak and hard  \nbreak",
    "[mail](mailto:a@b.example) <https://a.example>",
    "\u202eltr \u200b zero \ufeff width",
)
TAG = re.compile(r"<(/?)([a-z0-9]+)((?:\s[^>]*)?)>")
HARMLESS = {
    "a", "blockquote", "br", "code", "del", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li",
    "ol", "p", "pre", "s", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip
ATTRIBUTES = re.compile(r'(\s(href|title|rel|start|class)="[^"<>]*")*\s*')


def test_dangerous_markup_is_neutralized(ada: Person, anyone: Client) -> None:
    thread = open_thread(ada, "Attempts")
    for text in CORPUS:
        post = reply(ada, thread, text)
        assert post["body"] == text
        html = post["html"]
        for _, name, attributes in TAG.findall(html):
            assert name in HARMLESS, text
            assert ATTRIBUTES.fullmatch(attributes), text
        assert "<" not in TAG.sub("", html), text
        for address in re.findall(r'href="([^"]*)"', html):
            assert address.startswith(("http://", "https://", "mailto:", "/")), text
        assert html.count("<a ") == html.count('rel="nofollow noopener ugc"')
    shown = anyone.get(f"/api/posts/in-thread/{thread['id']}", limit=100).expect()["items"]
    assert [post["body"] for post in shown] == list(CORPUS)


def test_edit_is_rendered_again_safely(ada: Person) -> None:
    post = reply(ada, open_thread(ada, "Edited"), "*before*")
    change = {"body": "<b>after</b> **after**"}
    changed = ada.client.patch(f"/api/posts/{post['id']}", change).expect()
    assert changed["html"] == "<p>&lt;b&gt;after&lt;/b&gt; <strong>after</strong></p>\n"


def test_text_made_to_grow_stays_within_the_limit(ada: Person) -> None:
    thread = open_thread(ada, "Growing")
    bombs = (
        f"[x]: https://a.example/{'y' * 4_000}\n\n" + "[x] " * 2_900,
        "|" + "a|" * 90 + "\n|" + "-|" * 90 + "\n" + "|\n" * 7_500,
        ">" * 15_000 + "x",
        "*a " * 5_000,
        "[" * 16_000,
        "`" * 15_999 + "x",
    )
    for text in bombs:
        post = reply(ada, thread, text)
        assert len(post["html"].encode()) <= 128 * 1024
        ada.client.delete(f"/api/posts/{post['id']}").expect(204)
