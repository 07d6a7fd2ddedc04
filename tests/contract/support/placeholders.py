"""Placeholders for values that differ between runs, so that runs can be compared.

Ids, times and cursors become placeholders numbered by first appearance, so that equal values stay
equal and different ones different: `<id-1>` is the same thing all through a test.
"""

import re
from collections import Counter
from collections.abc import Mapping

_CHANGING = re.compile(
    r"(?P<token>eyJ[\w-]+\.[\w-]+\.[\w-]*)"
    r"|(?P<id>\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b)"
    r"|(?P<time>\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)"
    r"|(?P<digest>\b[0-9a-f]{24}\b)"
    r"|(?P<date>\b\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT)"
    r"|(?<=[?&]cursor=)(?P<cursor>[^&\"]+)"
)


class Placeholders:
    """Replace values that differ between runs by placeholders."""

    def __init__(self, mark: str, aliases: Mapping[str, str]) -> None:
        self._aliases = {**aliases, mark: "~", mark.upper(): "~~"}
        self._seen: dict[str, str] = {}
        self._counts: Counter[str] = Counter()

    def __call__(self, text: str) -> str:
        for value, name in self._aliases.items():
            text = text.replace(value, name)
        text = re.sub(r'(?<="next": ")[^"]+', self._cursor, text)
        # Named after the forum's secret, and each stage is a forum of its own.
        text = re.sub(r"(?<=\bforum_session_)[0-9a-f]{8}\b", "<forum>", text)
        # Of two sessions of one moment, one may end a whole second later.
        text = re.sub(r'(?<="expires_at": ")[^"]+', "<expiry>", text)
        # An erasure without other replicas is finished at once.
        text = re.sub(r'(?<="finished_at": ")[^"]+', "<end>", text)
        return _CHANGING.sub(self._placeholder, text)

    def _cursor(self, match: re.Match[str]) -> str:
        return self._name("cursor", match.group())

    def _placeholder(self, match: re.Match[str]) -> str:
        kind = str(match.lastgroup)
        if match.group().startswith("<"):
            return match.group()
        return self._name(kind, match.group())

    def _name(self, kind: str, value: str) -> str:
        if kind in {"date", "digest", "token"}:
            return f"<{kind}>"
        if value not in self._seen:
            self._counts[kind] += 1
            self._seen[value] = f"<{kind}-{self._counts[kind]}>"
        return self._seen[value]
