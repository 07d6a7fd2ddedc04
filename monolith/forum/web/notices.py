"""Notices above the content of a page."""

from collections.abc import Callable

from flask import g

from forum.domain import Domain
from forum.web import page_cache, served_by

INFO, WARNING = "info", "warning"


def add(level: str, text: str) -> None:
    """Show a notice on the page that is being rendered, once."""
    if (level, text) not in g.notices:
        g.notices.append((level, text))


def stale_data_notice(domain: Domain) -> Callable[[], None]:
    """Return a callback that adds the notice about stale data of a domain from the replica."""
    text = (
        f"{domain.label.capitalize()} are temporarily unavailable."
        " This page shows a recent copy, which may be slightly out of date."
    )

    def add_notice() -> None:
        add(WARNING, text)
        page_cache.forbid_sharing()
        served_by.record(domain.name, served_by.REPLICA)

    return add_notice
