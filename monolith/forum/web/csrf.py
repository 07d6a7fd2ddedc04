"""Protection of forms against cross-site request forgery, and security headers of pages."""

import hmac
import secrets
from urllib.parse import urlsplit

from flask import Response, g, request

from chassis.auth.fetch_metadata import is_cross_site
from chassis.errors import Forbidden
from forum.users.port import Identity

POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
_NO_FEATURES = "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()"

# These forms need a password, and their pages are the same for everybody.
ANONYMOUS_FORMS = ("/register", "/sign-in")
_SIZE = 32  # bytes


def csrf_token(secret: str, identity: Identity) -> str:
    """Return a token for the forms of one session, masked differently on each call.

    Pages are compressed, and the size of a compressed page would leak a repeated secret.
    """
    mask = secrets.token_bytes(_SIZE)
    return (mask + _xor(mask, _session_secret(secret, identity))).hex()


def _is_valid_token(given: str, secret: str, identity: Identity) -> bool:
    try:
        pair = bytes.fromhex(given)
    except ValueError:
        return False
    if len(pair) != 2 * _SIZE:
        return False
    return hmac.compare_digest(_xor(pair[:_SIZE], pair[_SIZE:]), _session_secret(secret, identity))


def _session_secret(secret: str, identity: Identity) -> bytes:
    return hmac.digest(secret.encode(), f"csrf {identity.session}".encode(), "sha256")


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))


def reject_forged_form(secret: str, identity: Identity | None) -> None:
    """Check that a form was sent by a page of this site.

    Browsers report the origin of a form; the form of a signed-in user also has a token. Pages
    without a session have no token, so that they are the same for everybody.

    Raises:
        Forbidden: another site sent it, or it is older than the last sign-in.
    """
    if is_cross_site():
        detail = "This form was submitted from another site and was rejected."
        raise Forbidden(detail)
    if identity is None or request.path in ANONYMOUS_FORMS:
        return
    if not _is_valid_token(request.form.get("csrf_token", ""), secret, identity):
        detail = "This page was loaded before your last sign-in. Reload it and send the form again."
        raise Forbidden(detail)


def local_path(target: str) -> str:
    """Return a target if it is a path on this site; "/" for anything else."""
    # Browsers read a backslash as a slash and drop tabs and line breaks.
    odd = any(character in target for character in "\\\t\r\n")
    if odd or not target.startswith("/") or target.startswith("//"):
        return "/"
    try:
        parts = urlsplit(target)
    except ValueError:
        return "/"
    return "/" if parts.scheme or parts.netloc else target


def add_security_headers(response: Response) -> Response:
    """Add security and caching headers."""
    headers = response.headers
    headers.setdefault("Content-Security-Policy", POLICY)
    headers.setdefault("Referrer-Policy", "same-origin")
    headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
    headers.setdefault("Permissions-Policy", _NO_FEATURES)
    headers.setdefault("Cache-Control", "private, no-cache" if g.get("identity") else "no-cache")
    headers.add("Vary", "Cookie")
    return response
