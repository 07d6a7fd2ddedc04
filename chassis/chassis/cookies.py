"""Names of a forum's cookies.

A browser sends a host's cookies to each of its ports. So the names contain a short hash of the
forum's secret, which is the same in all of its components: two forums on one host share no cookie.
Over HTTPS the prefix `__Host-` lets browsers refuse a cookie that another host of the domain, or a
connection without TLS, tries to set (RFC 6265bis, section 4.1.3.2).
"""

import hashlib
import hmac

from flask import Flask, current_app, request

from chassis.product import NAME

SESSION = "session"
"""The cookie with the session's token."""
_SUFFIX = "COOKIE_SUFFIX"


def configure(app: Flask, secret: str) -> None:
    """Set the names of an application's cookies."""
    app.config[_SUFFIX] = suffix(secret)


def suffix(secret: str) -> str:
    """Return what tells a forum's cookies from those of another one: 8 characters."""
    return hmac.new(secret.encode(), b"names of cookies", hashlib.sha256).hexdigest()[:8]


def cookie_name(purpose: str) -> str:
    """Return the name of a cookie, as the connection of this request requires it."""
    name = f"{NAME}_{purpose}_{current_app.config[_SUFFIX]}"
    return f"__Host-{name}" if request.is_secure else name
