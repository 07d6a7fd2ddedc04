"""The stages of the split: the sets of domains that run as services.

The standard library only, because the gateway's image has nothing else.
"""

import tomllib
from collections.abc import Iterable
from itertools import combinations
from pathlib import Path

ROUTES_FILE = Path(__file__).parent / "gateway" / "routes.toml"
MONOLITH = "monolith"


def _read_domains() -> tuple[str, ...]:
    routes = tomllib.loads(ROUTES_FILE.read_text(encoding="utf-8"))["route"]
    return tuple(dict.fromkeys(route["component"] for route in routes))


DOMAINS = _read_domains()
"""The domains in their canonical order, which is that of the routing table."""
COMPONENTS = (MONOLITH, *DOMAINS)
"""The monolith, and the services in canonical order."""


class UnknownDomainError(ValueError):
    """A name is not a domain of the forum."""

    def __init__(self, names: Iterable[str]) -> None:
        listed = ", ".join(repr(name) for name in names)
        super().__init__(
            f"EXTRACTED contains {listed}, but only {', '.join(DOMAINS)} can be extracted"
            " (separated by commas; empty for the monolith alone)"
        )


def parse(text: str) -> frozenset[str]:
    """Parse a comma-separated list of domains, in any order; raise UnknownDomainError."""
    names = [name.strip() for name in text.split(",")]
    names = [name for name in names if name]
    unknown = [name for name in names if name not in DOMAINS]
    if unknown:
        raise UnknownDomainError(unknown)
    return frozenset(names)


def in_canonical_order(extracted: Iterable[str]) -> tuple[str, ...]:
    """Return domains in canonical order."""
    chosen = set(extracted)
    return tuple(domain for domain in DOMAINS if domain in chosen)


def as_setting(extracted: Iterable[str]) -> str:
    """Return a stage in the format of EXTRACTED: `users,threads`."""
    return ",".join(in_canonical_order(extracted))


def stage_name(extracted: Iterable[str]) -> str:
    """Return the name of a stage's data folder: `monolith` or `users+threads`."""
    return "+".join(in_canonical_order(extracted)) or MONOLITH


def all_stages() -> tuple[frozenset[str], ...]:
    """Return all eight stages, ordered by the number of services."""
    return tuple(
        frozenset(chosen)
        for size in range(len(DOMAINS) + 1)
        for chosen in combinations(DOMAINS, size)
    )
