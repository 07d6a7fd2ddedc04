"""What a page says about itself above its content."""

from collections.abc import Callable

from flask import g

from forum.web import served_by

INFO, WARNING = "info", "warning"


def add(level: str, text: str) -> None:
    """Have the page that is being made say something, once."""
    if (level, text) not in g.notices:
        g.notices.append((level, text))


def stale_data_notice(what: str) -> Callable[[], None]:
    """Make what has a page say that it shows older data, since the part that keeps it is down.

    `what` is what people call that which the part keeps: accounts, threads or posts.
    """
    text = (
        f"The part of the forum that keeps {what} does not answer right now."
        " What is shown of them here may be a little old."
    )
    domain = "users" if what == "accounts" else what

    def tell() -> None:
        add(WARNING, text)
        served_by.record(domain, served_by.REPLICA)

    return tell
