"""Cache of anonymous pages: rendered once, and shared for less than a second.

A request without a cookie gets a shared page if its rendering began less than `MAX_AGE_SECONDS`
ago; a request during the rendering waits for it. Each request with a session gets its own page, so
people always see what they wrote. After signing out, the browser keeps a cookie for as long as an
older page may be cached, for the same reason. A page with something missing is for one request
only: what kept one from its data may not keep the next. See ADR 0028.
"""

import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

from flask import Flask, Response, current_app, g, request

from chassis.cookies import SESSION, cookie_name
from chassis.http.app import is_api_request

MAX_AGE_SECONDS = 1.0
"""Maximum age of a shared page."""
MAX_PAGES = 256  # maximum number of pages in one process
MAX_PAGE_BYTES = 128 * 1024  # maximum size of a cached page in bytes
BYPASS = "fresh"
"""Cookie that bypasses the cache right after signing out."""
_PATHS = ("/threads/", "/users/")
_SAFE = {"GET", "HEAD", "OPTIONS"}
_EDITION = "HTTP_IF_NONE_MATCH"


@dataclass(frozen=True)
class CachedPage:
    """A cached response."""

    headers: tuple[tuple[str, str], ...]
    body: bytes


@dataclass
class PendingPage:
    """A page being rendered; `page` is None until then, or if it must not be shared."""

    began: float
    page: CachedPage | None = None
    done: threading.Event = field(default_factory=threading.Event)


class PageCache:
    """The cached pages of one process, by request."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._makings: dict[Hashable, PendingPage] = {}

    def find(self, key: Hashable) -> CachedPage | PendingPage | None:
        """Return a page that is less than a second old.

        A `PendingPage` is to be rendered and passed to `finish` by the caller. None means that the
        caller renders a page that is not shared.
        """
        with self._lock:
            now = self._clock()
            making = self._makings.get(key)
            if making is None or now - making.began >= MAX_AGE_SECONDS:
                self._drop(now)
                self._makings.pop(key, None)
                self._makings[key] = new = PendingPage(now)
                return new
        making.done.wait(making.began + MAX_AGE_SECONDS - now)
        # A page that took long is no longer new enough for the waiting requests.
        return making.page if self._clock() - making.began < MAX_AGE_SECONDS else None

    def finish(self, making: PendingPage, page: CachedPage | None) -> None:
        """Share a rendered page; None if it must not be shared."""
        making.page = page
        making.done.set()

    def clear(self) -> None:
        """Drop all pages, after a write."""
        with self._lock:
            self._makings.clear()

    def _drop(self, now: float) -> None:
        """Drop expired pages, and the oldest if there are too many; pages are in this order."""
        for key, making in list(self._makings.items()):
            if now - making.began < MAX_AGE_SECONDS and len(self._makings) < MAX_PAGES:
                break
            del self._makings[key]


def install(app: Flask, pages: PageCache | None = None) -> None:
    """Install the cache; before all other hooks that modify responses."""
    kept = pages or PageCache()

    @app.before_request
    def _find() -> Response | None:
        if not _is_cacheable_request():
            return None
        # Everything that an anonymous page depends on.
        asked = request.headers.get("Accept-Encoding", "")
        found = kept.find((request.scheme, request.host, request.full_path, asked))
        if isinstance(found, PendingPage):
            g.making = found
            # Rendered completely for other requests, even if this client has it already.
            g.edition = request.environ.pop(_EDITION, None)
        if not isinstance(found, CachedPage):
            return None
        g.shared = True
        response = current_app.response_class(found.body, headers=found.headers)
        return _or_not_modified(response)

    @app.after_request
    def _keep(response: Response) -> Response:
        if request.method not in _SAFE:
            kept.clear()
        if not is_api_request() and _ends_session(response):
            response.set_cookie(
                cookie_name(BYPASS),
                "1",
                max_age=2,
                httponly=True,
                samesite="Lax",
                secure=request.is_secure,
            )
        if (making := g.pop("making", None)) is None:
            return response
        kept.finish(making, _cacheable_page(response))
        if edition := g.pop("edition"):
            request.environ[_EDITION] = edition
        return _or_not_modified(response)

    @app.teardown_request
    def _give_up(_: BaseException | None) -> None:
        if (making := g.pop("making", None)) is not None:
            kept.finish(making, None)


def forbid_sharing() -> None:
    """Keep the page that is being rendered out of the cache."""
    g.unshared = True


def is_from_cache() -> bool:
    """Return whether this response is a cached page, served again without further work."""
    return bool(g.get("shared"))


def _is_cacheable_request() -> bool:
    return (
        request.method == "GET"
        and "Cookie" not in request.headers
        and "Authorization" not in request.headers
        and (request.path == "/" or request.path.startswith(_PATHS))
    )


def _or_not_modified(response: Response) -> Response:
    """Return 304 to a client that has this page."""
    if "ETag" in response.headers and _EDITION in request.environ:
        response.make_conditional(request)
    return response


def _ends_session(response: Response) -> bool:
    return any(
        one.startswith(f"{cookie_name(SESSION)}=;")
        for one in response.headers.getlist("Set-Cookie")
    )


def _cacheable_page(response: Response) -> CachedPage | None:
    if (
        g.get("unshared")
        or response.status_code != 200
        or response.mimetype != "text/html"
        or response.is_streamed
        or "Set-Cookie" in response.headers
    ):
        return None
    body = response.get_data()
    headers = tuple(pair for pair in response.headers if pair[0] != "Date")
    return CachedPage(headers, body) if len(body) <= MAX_PAGE_BYTES else None
