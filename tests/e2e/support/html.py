"""A page as a browser without scripts sees it: its text, its links and its forms."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"area", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"}


@dataclass
class Form:
    """A form: its action and its default values."""

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    button: str = ""


@dataclass(frozen=True)
class Tag:
    """An opening tag."""

    name: str
    attributes: dict[str, str]


class Page(HTMLParser):
    """A parsed page."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.source = text
        self.tags: list[Tag] = []
        self.forms: list[Form] = []
        self.links: dict[str, str] = {}
        self._open: list[str] = []
        self._words: list[str] = []
        self._form: Form | None = None
        self._area: str | None = None
        self._link: str | None = None
        self._label = ""
        self.feed(text)
        self.close()

    @property
    def text(self) -> str:
        """The visible text of the page."""
        return " ".join(" ".join(self._words).split())

    @property
    def heading(self) -> str:
        """The main heading."""
        start = self.source.index(">", self.source.index("<h1")) + 1
        return Page(self.source[start : self.source.index("</h1>")]).text

    def form(self, action: str, /, **fields: str) -> Form:
        """Find the form with this `action` and, optionally, these values."""
        found = [
            form
            for form in self.forms
            if form.action == action and fields.items() <= form.fields.items()
        ]
        assert len(found) == 1, f"{len(found)} forms go to {action} with {fields}"
        return found[0]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Handle a start tag, with its effect on forms and links."""
        attributes = {name: value or "" for name, value in attrs}
        self.tags.append(Tag(tag, attributes))
        if tag not in VOID:
            self._open.append(tag)
        name, value = attributes.get("name", ""), attributes.get("value", "")
        if tag == "form":
            action, method = attributes.get("action", ""), attributes.get("method", "get")
            self._form = Form(action, method.upper())
            self.forms.append(self._form)
        elif tag == "input" and self._form and name:
            kind = attributes.get("type", "text")
            self._form.types[name] = kind
            if kind != "checkbox" or "checked" in attributes:
                self._form.fields[name] = value
        elif tag == "textarea" and self._form and name:
            self._area = name
            self._form.fields[name] = ""
            self._form.types[name] = "textarea"
        elif tag == "a" and "href" in attributes:
            self._link, self._label = attributes["href"], ""

    def handle_endtag(self, tag: str) -> None:
        """Handle an end tag."""
        while self._open and self._open.pop() != tag:
            pass
        if tag == "form":
            self._form = None
        elif tag == "textarea":
            if self._form and self._area:
                # The first line break of a text area is not part of its text.
                kept = self._form.fields[self._area]
                self._form.fields[self._area] = kept.removeprefix("\n")
            self._area = None
        elif tag == "a" and self._link is not None:
            self.links.setdefault(" ".join(self._label.split()), self._link)
            self._link = None

    def handle_data(self, data: str) -> None:
        """Handle text."""
        if not {"head", "style", "script"} & set(self._open):
            self._words.append(data)
        if self._form and self._area:
            self._form.fields[self._area] += data
        if self._form and "button" in self._open:
            self._form.button = (self._form.button + data).strip()
        if self._link is not None:
            self._label += data
