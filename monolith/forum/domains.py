"""All domains of the forum, in the order of their extraction, and the derived subscription."""

from collections.abc import Set as AbstractSet

from chassis.messaging.subscriptions import Subscription
from forum.posts import domain as posts
from forum.threads import domain as threads
from forum.users import domain as users

USERS, THREADS, POSTS = users.DOMAIN, threads.DOMAIN, posts.DOMAIN
DOMAINS = (USERS, THREADS, POSTS)
NAMES = tuple(domain.name for domain in DOMAINS)

DOMAIN_OF_EVENT_TYPE: dict[str, str | None] = {
    **{kind: None for domain in DOMAINS for kind in domain.acknowledgement_types},
    **{kind: domain.name for domain in DOMAINS for kind in domain.event_types},
}
"""The domain written with an event type; None for acknowledgements."""


def subscription(
    extracted: AbstractSet[str], moving: AbstractSet[str] = frozenset()
) -> Subscription:
    """Return the events that the monolith consumes once these domains are extracted.

    It feeds its replicas from events of extracted domains, and receives acknowledgements for its
    own. For a moving domain it receives both.
    """
    types: tuple[str, ...] = ()
    for domain in DOMAINS:
        if domain.name in extracted | moving:
            types += domain.event_types
        if domain.name not in extracted or domain.name in moving:
            types += domain.acknowledgement_types
    return Subscription("monolith", types)
