"""The routes of `routes.toml`, and their selection for a stage."""

import tomllib
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).with_name("routes.toml")
LAST_PRIORITY = 9_000
"""The last priority that a route may have; the templates have rules of their own after it."""


@dataclass(frozen=True)
class Route:
    """A path, with everything below it, that belongs to one component.

    `priority` is that of its listener rule on AWS.
    """

    prefix: str
    component: str
    priority: int


@dataclass(frozen=True)
class Routes:
    """An ordered list of routes, and the default component."""

    routes: tuple[Route, ...]
    default: str

    @property
    def components(self) -> tuple[str, ...]:
        """Return every component that may get a request, the default first."""
        return tuple(dict.fromkeys([self.default, *(route.component for route in self.routes)]))

    def at(self, extracted: Collection[str]) -> "Routes":
        """Return the routes that apply while `extracted` run as services."""
        active = tuple(route for route in self.routes if route.component in extracted)
        return Routes(active, self.default)


def load(file: Path = FILE) -> Routes:
    """Read the routes from a file.

    Raises:
        ValueError: a prefix or a priority is not possible, or two routes have the same one.
    """
    document = tomllib.loads(file.read_text(encoding="utf-8"))
    routes = tuple(
        Route(entry["prefix"], entry["component"], entry["priority"]) for entry in document["route"]
    )
    for route in routes:
        if not route.prefix.startswith("/") or route.prefix.endswith("/"):
            msg = f"{file.name}: a prefix starts with a slash and ends without: {route.prefix!r}"
            raise ValueError(msg)
        if route.priority not in range(2, LAST_PRIORITY + 1):
            msg = (
                f"{file.name}: the priority of {route.prefix} is a number from 2 to"
                f" {LAST_PRIORITY}, not {route.priority!r}"
            )
            raise ValueError(msg)
    for what in ("prefix", "priority"):
        counted = Counter(getattr(route, what) for route in routes)
        if twice := [str(value) for value, count in counted.items() if count > 1]:
            msg = f"{file.name}: more than one route has the {what} {', '.join(twice)}"
            raise ValueError(msg)
    taken = {route.priority for route in routes}
    if close := [route.prefix for route in routes if route.priority - 1 in taken]:
        msg = f"{file.name}: the number before the priority of {', '.join(close)} is not free"
        raise ValueError(msg)
    return Routes(routes, document["default"])
