"""Which events the monolith takes: those of the domains that are extracted."""

from collections.abc import Set as AbstractSet

from chassis.subscriptions import Subscription
from forum.posts import events as posts
from forum.threads import events as threads
from forum.users import events as users


def at(extracted: AbstractSet[str]) -> Subscription:
    """Tell what the monolith takes once these domains are extracted.

    While it keeps users itself, it is told who forgot somebody that it erased.
    """
    types: tuple[str, ...] = users.ALL if "users" in extracted else (users.FORGOTTEN,)
    if "threads" in extracted:
        types += threads.ALL
    if "posts" in extracted:
        types += posts.ALL
    return Subscription("monolith", types)
