"""The results as SVG pictures, readable on light and dark pages."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from bench.reporting.tables import Results, pairs
from bench.side import MONOLITH

_BEFORE, _AFTER, _INK = "#8a6fbf", "#2a9d8f", "#777"
_STYLE = "font:13px system-ui,sans-serif"


def loads(results: Results, connections: int = 16) -> str:
    """Draw the requests per second of both sides, as a pair of bars per scenario."""
    shown = [pair for pair in pairs(results) if pair[0]["connections"] == connections]
    most = max((one["rate"] for pair in shown for one in pair), default=1)
    left, wide, row = 280, 420, 46
    parts = [_text(left, 20, f"Requests a second with {connections} connections", bold=True)]
    for number, (before, after) in enumerate(shown):
        top = 40 + number * row
        title = results["titles"][before["scenario"]].replace("`", "")
        parts.append(_text(left - 10, top + 22, title, anchor="end"))
        for place, (one, colour) in enumerate(((before, _BEFORE), (after, _AFTER))):
            length, y = wide * one["rate"] / most, top + place * 17
            parts.append(_bar(left, y, max(1.0, length), 15, colour))
            parts.append(_text(left + length + 6, y + 12, f"{one['rate']:,.0f}"))
    bottom = 52 + len(shown) * row
    parts += [_bar(left, bottom, 12, 12, _BEFORE), _text(left + 18, bottom + 11, "before")]
    parts += [_bar(left + 90, bottom, 12, 12, _AFTER), _text(left + 108, bottom + 11, "after")]
    return _svg(left + wide + 80, bottom + 24, parts)


def availability(results: Results) -> str:
    """Draw the share of responses within a second during faults, before and after the split."""
    columns: dict[tuple[str, str], dict[str, Mapping[str, Any]]] = {}
    for one in results["availability"]:
        columns.setdefault((one["side"], one["case"]), {})[one["domain"]] = one
    left, wide, high = 90, 118, 52
    parts = []
    for number, ((side, case), found) in enumerate(columns.items()):
        x = left + number * wide
        when = "before" if side == MONOLITH else "after"
        colour = _BEFORE if side == MONOLITH else _AFTER
        parts.append(_text(x + wide / 2, 20, when, anchor="middle", bold=True, colour=colour))
        parts.append(_text(x + wide / 2, 38, case, anchor="middle"))
        for row, (domain, one) in enumerate(found.items()):
            y = 50 + row * high
            if number == 0:
                parts.append(_text(left - 10, y + 30, domain, anchor="end"))
            parts.append(_bar(x + 2, y + 2, wide - 4, high - 4, _shade(one["good"])))
            good, late = f"{one['good']:.0f} %", f"p95 {one['p95']:,.0f} ms"
            middle = x + wide / 2
            parts.append(_text(middle, y + 23, good, anchor="middle", bold=True, colour="#111"))
            parts.append(_text(middle, y + 40, late, anchor="middle", colour="#111"))
    rows = max((len(found) for found in columns.values()), default=0)
    return _svg(left + len(columns) * wide + 10, 60 + rows * high, parts)


def _shade(good: float) -> str:
    """Return a colour from red (0 %) to green (100 %)."""
    return f"hsl({round(1.2 * good)}, 60%, 68%)"


def _bar(x: float, y: float, wide: float, high: float, colour: str) -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" width="{wide:.1f}" height="{high:.1f}"'
    return f'<rect {place} rx="2" fill="{colour}"/>'


def _text(
    x: float,
    y: float,
    text: str,
    *,
    anchor: str = "start",
    bold: bool = False,
    colour: str = _INK,
) -> str:
    weight = ' font-weight="600"' if bold else ""
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}"'
    return f"<text {place}{weight}>{escape(text)}</text>"


def _svg(wide: float, high: float, parts: Sequence[str]) -> str:
    size = f'width="{wide:.0f}" height="{high:.0f}" viewBox="0 0 {wide:.0f} {high:.0f}"'
    begin = f'<svg xmlns="http://www.w3.org/2000/svg" {size} style="{_STYLE}">'
    return "\n".join([begin, *parts, "</svg>", ""])
