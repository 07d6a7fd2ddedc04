"""Which events the monolith takes: those of the domains that are extracted."""

from collections.abc import Set as AbstractSet

from chassis.messaging.subscriptions import Subscription
from forum.posts import events as posts
from forum.threads import events as threads
from forum.users import events as users


def at(extracted: AbstractSet[str], moving: AbstractSet[str] = frozenset()) -> Subscription:
    """Tell what the monolith takes once these domains are extracted.

    While it keeps users itself, it is told who forgot somebody that it erased. Of a domain on the
    move it takes what it takes before and after.
    """
    elsewhere = extracted | moving
    types: tuple[str, ...] = ()
    if "users" in elsewhere:
        types += users.ALL
    if "users" not in extracted or "users" in moving:
        types += (users.FORGOTTEN,)
    if "threads" in elsewhere:
        types += threads.ALL
    if "posts" in elsewhere:
        types += posts.ALL
    return Subscription("monolith", types)
