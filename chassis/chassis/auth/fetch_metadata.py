"""The origin of a browser's request, by the headers that scripts can't set."""

from urllib.parse import urlsplit

from flask import request

# `none`: the user's own act, such as a page that is loaded again.
_OWN = frozenset({"same-origin", "none"})


def is_cross_site() -> bool:
    """Return whether the browser reports another site as the origin of this request.

    Sec-Fetch-Site decides where it is sent: behind some proxies, such as those that forward a port,
    Origin and Host name different addresses of the same site. Programs send neither.
    """
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site not in _OWN
    origin = request.headers.get("Origin")
    return origin is not None and not _is_own_origin(origin)


def _is_own_origin(origin: str) -> bool:
    try:
        return urlsplit(origin).netloc == request.host
    except ValueError:
        return False
