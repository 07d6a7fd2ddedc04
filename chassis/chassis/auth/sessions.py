"""Sessions of requests: a Bearer token, or else the session cookie."""

from datetime import datetime
from typing import Generic

from flask import Response, request

from chassis.auth.fetch_metadata import is_cross_site
from chassis.auth.tokens import CLAIMS, Identity, Verifier
from chassis.cookies import SESSION, cookie_name
from chassis.errors import Forbidden, Unauthenticated

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def set_session_cookie(response: Response, token: str, expires_at: datetime) -> None:
    """Store the session in the browser, hidden from scripts and from other sites' forms."""
    response.set_cookie(
        cookie_name(SESSION),
        token,
        expires=expires_at,
        httponly=True,
        samesite="Lax",
        secure=request.is_secure,
        path="/",
    )


def clear_session_cookie(response: Response) -> None:
    """Remove the session from the browser."""
    response.delete_cookie(
        cookie_name(SESSION), httponly=True, samesite="Lax", secure=request.is_secure, path="/"
    )


class Sessions(Generic[CLAIMS]):
    """The identity behind a request."""

    def __init__(self, verifier: Verifier[CLAIMS]) -> None:
        self._verifier = verifier

    def require(self) -> Identity[CLAIMS]:
        """Return the identity of an API request.

        Raises:
            Unauthenticated: the request carries no valid session.
            Forbidden: another site made a browser send its session.
        """
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme:
            if scheme.lower() != "bearer":
                detail = "The Authorization header must contain a Bearer token."
                raise Unauthenticated(detail)
            return self._verifier.verify(token.strip())
        cookie = request.cookies.get(cookie_name(SESSION))
        if not cookie:
            detail = "Sign in first."
            raise Unauthenticated(detail)
        if request.method not in _SAFE_METHODS and is_cross_site():
            detail = "This request was sent from another site and was rejected."
            raise Forbidden(detail)
        return self._verifier.verify(cookie)

    def from_token(self, token: str) -> Identity[CLAIMS]:
        """Return the identity of a session that was just opened."""
        return self._verifier.verify(token)

    def from_cookie(self) -> Identity[CLAIMS] | None:
        """Return the identity of a page's reader; None without a valid session cookie."""
        try:
            return self._verifier.verify(request.cookies.get(cookie_name(SESSION), ""))
        except Unauthenticated:
            return None
