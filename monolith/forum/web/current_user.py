"""Who looks at a page."""

from flask import g

from chassis.auth.tokens import Identity
from chassis.errors import Unauthenticated


def current_user() -> Identity | None:
    """Give the person who is signed in, if any."""
    identity: Identity | None = g.get("identity")
    return identity


def require_user() -> Identity:
    """Give the person who is signed in.

    Raises:
        Unauthenticated: nobody is.
    """
    identity = current_user()
    if identity is None:
        detail = "Sign in first."
        raise Unauthenticated(detail)
    return identity
