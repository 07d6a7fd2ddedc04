"""The reader of a page."""

from flask import g

from chassis.errors import Unauthenticated
from forum.users.port import Identity


def current_user() -> Identity | None:
    """Return the identity of the user who is signed in, if any."""
    identity: Identity | None = g.get("identity")
    return identity


def require_user() -> Identity:
    """Return the identity of the user who is signed in.

    Raises:
        Unauthenticated: nobody is signed in.
    """
    identity = current_user()
    if identity is None:
        detail = "Sign in first."
        raise Unauthenticated(detail)
    return identity
