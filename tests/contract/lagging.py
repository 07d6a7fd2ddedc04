"""What one component learns from another only by events, and so is left out of the comparison.

This is the whole list. Until events are published, the effects named here stay behind for good
wherever the domains concerned have different owners; where one component owns them all, nothing
lags and everything is asserted and compared. A line goes when its event arrives.
"""

from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True)
class Lag:
    """An effect that crosses from one domain to another.

    `fields` of JSON answers are compared nowhere; other effects are named by the tests that look
    at them, with `forum.lag(name)`.
    """

    why: str
    domains: frozenset[str]
    fields: frozenset[str] = frozenset()

    def active(self, extracted: Collection[str]) -> bool:
        """Tell whether the domains have different owners at this stage."""
        owners = {domain if domain in extracted else "monolith" for domain in self.domains}
        return len(owners) > 1


def _between(*domains: str, why: str, fields: tuple[str, ...] = ()) -> Lag:
    return Lag(why, frozenset(domains), frozenset(fields))


LAGS = {
    "counters": _between(
        "threads",
        "posts",
        fields=("post_count", "last_activity_at"),
        why="threads counts posts, and knows when the last came, by posts' events",
    ),
    "activity": _between(
        "threads", "posts", why="replies move a thread in the order of activity: the same events"
    ),
    "deleted threads": _between(
        "threads",
        "posts",
        why="the posts of a deleted thread leave posts' own lists by thread.deleted; what asks"
        " threads directly (the thread's page, a new post) is refused at once and compared",
    ),
    "names in threads": _between(
        "users", "threads", why="a rename or an erasure reaches the author shown by an event"
    ),
    "names in posts": _between("users", "posts", why="as in threads"),
    "standing in threads": _between(
        "users",
        "threads",
        why="suspension, erasure and a role that was taken away are known by events; until then"
        " the token speaks for the person",
    ),
    "standing in posts": _between("users", "posts", why="as in threads"),
}


def lagging_fields(extracted: Collection[str]) -> frozenset[str]:
    """Name the fields of JSON answers that may be behind at a stage."""
    fields = (lag.fields for lag in LAGS.values() if lag.active(extracted))
    return frozenset[str]().union(*fields)
