"""The posts of a thread on one page, and whether others precede or follow."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import accumulate

from forum.posts.state import Post
from forum.web.context import PageContext

PAGE_SIZE = 20
AROUND = PAGE_SIZE // 2
MAX_HTML_LENGTH = 40_000
"""Maximum characters of HTML on a page, except for a single longer post: threads with long posts
have more pages instead of larger ones."""
OLDEST, NEWEST = "oldest", "newest"
POST_ID = re.compile(r"[0-9a-z-]{36}")


@dataclass(frozen=True)
class WindowPosition:
    """The part of a thread that a URL requests by a post's id: around, after or before it.

    `at` may be "newest", for the end of the thread. A page identified by a post keeps its position
    while others write.
    """

    order: str = OLDEST
    at: str = ""
    after: str = ""
    before: str = ""

    @classmethod
    def from_arguments(cls, arguments: Mapping[str, str]) -> "WindowPosition":
        """Parse the URL's arguments; invalid ids are ignored."""
        ids = {name: arguments.get(name, "") for name in ("at", "after", "before")}
        known = {name: value for name, value in ids.items() if POST_ID.fullmatch(value)}
        if ids["at"] == NEWEST:
            known["at"] = NEWEST
        return cls(NEWEST if arguments.get("order") == NEWEST else OLDEST, **known)


@dataclass(frozen=True)
class PostWindow:
    """Some posts of a thread, oldest first, and whether there are earlier and later ones."""

    posts: list[Post] = field(default_factory=list)
    has_earlier: bool = False
    has_later: bool = False


def load_window(context: PageContext, thread_id: str, place: WindowPosition) -> PostWindow:
    """Load the posts at a position: one call, or two around a post."""

    def ascending(limit: int = PAGE_SIZE, after: str = "") -> tuple[list[Post], bool]:
        return ask("asc", limit, after)

    def descending(limit: int = PAGE_SIZE, before: str = "") -> tuple[list[Post], bool]:
        posts, more = ask("desc", limit, before)
        return posts[::-1], more

    def ask(direction: str, limit: int, key: str) -> tuple[list[Post], bool]:
        page = context.posts.in_thread(thread_id, direction, limit, cursor(direction, key))
        posts = _fitting(page.items, MAX_HTML_LENGTH * limit // PAGE_SIZE)
        return posts, page.next is not None or len(posts) < len(page.items)

    def cursor(direction: str, key: str) -> str:
        listing = f"posts:in-thread:{thread_id}:{direction}"
        return context.cursors.encode(listing, (key,) if key else None) or ""

    if place.at == NEWEST or (place.order == NEWEST and not (place.after or place.before)):
        posts, earlier = descending()
        return PostWindow(posts, earlier)
    if place.at:
        # A truncated id sorts just before the full one, so the next page begins with the post.
        following, later = ascending(AROUND, place.at[:-1])
        preceding, earlier = descending(AROUND, place.at)
        return PostWindow(preceding + following, earlier, later)
    if place.before:
        posts, earlier = descending(before=place.before)
        return PostWindow(posts, earlier, has_later=True)
    posts, later = ascending(after=place.after)
    return PostWindow(posts, bool(place.after), later)


def _fitting(posts: list[Post], room: int) -> list[Post]:
    """Return as many of the first posts as fit, at least one."""
    sizes = accumulate(len(post.html) for post in posts)
    number = sum(size <= room for size in sizes)
    return posts[: max(1, number)]
