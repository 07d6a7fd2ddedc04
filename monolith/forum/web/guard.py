"""Forgery protection of forms, and what every page tells the browser to refuse."""

import hashlib
import hmac
from urllib.parse import urlsplit

from flask import Response, request

from chassis.errors import Forbidden
from chassis.tokens import Identity

POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


# What these forms do takes a password, and their pages are the same for everybody.
ANONYMOUS = ("/register", "/sign-in")


def csrf_token(secret: str, identity: Identity) -> str:
    """Give the token that the forms of one session carry."""
    return hmac.new(
        secret.encode(), f"csrf {identity.session}".encode(), hashlib.sha256
    ).hexdigest()


def refuse_forgery(secret: str, identity: Identity | None) -> None:
    """Let a form through only if one of our own pages sent it.

    Browsers tell where a form comes from; a signed-in person's form carries a token as well.
    Pages without a session hold no token, so that they are the same for everybody.

    Raises:
        Forbidden: another site sent it, or it is from before the last sign-in.
    """
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    if site not in (None, "same-origin") or not (origin is None or _is_ours(origin)):
        detail = "Another site sent this form, so nothing was done."
        raise Forbidden(detail)
    if identity is None or request.path in ANONYMOUS:
        return
    given = request.form.get("csrf_token", "")
    if not hmac.compare_digest(given.encode(), csrf_token(secret, identity).encode()):
        detail = "This page is from before your last sign-in. Load it again and send it once more."
        raise Forbidden(detail)


def _is_ours(origin: str) -> bool:
    try:
        return urlsplit(origin).netloc == request.host
    except ValueError:
        return False


def local_path(target: str) -> str:
    """Give a path on this site to go on to after signing in; "/" for anything else."""
    # Browsers read a backslash as a slash and drop tabs and line breaks.
    odd = any(character in target for character in "\\\t\r\n")
    if odd or not target.startswith("/") or target.startswith("//"):
        return "/"
    try:
        parts = urlsplit(target)
    except ValueError:
        return "/"
    return "/" if parts.scheme or parts.netloc else target


def add_headers(response: Response) -> Response:
    """Tell the browser what a page may do and who may keep it."""
    headers = response.headers
    headers.setdefault("Content-Security-Policy", POLICY)
    headers.setdefault("Referrer-Policy", "same-origin")
    headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
    headers.setdefault("Cache-Control", "no-cache")
    headers.add("Vary", "Cookie")
    return response
