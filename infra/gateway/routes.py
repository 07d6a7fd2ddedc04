"""The routes of `routes.toml`, and their selection for a stage."""

import tomllib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).with_name("routes.toml")


@dataclass(frozen=True)
class Route:
    """A path, with everything below it, that belongs to one component."""

    prefix: str
    component: str


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
    """Read the routes from a file."""
    document = tomllib.loads(file.read_text(encoding="utf-8"))
    routes = tuple(Route(entry["prefix"], entry["component"]) for entry in document["route"])
    for route in routes:
        if not route.prefix.startswith("/") or route.prefix.endswith("/"):
            msg = f"{file.name}: a prefix starts with a slash and ends without: {route.prefix!r}"
            raise ValueError(msg)
    return Routes(routes, document["default"])
