"""Pages that nobody in particular reads: made once, and shared for less than a second.

Who sends no cookie gets the page that was made for the one before, if the making began less than
`SECONDS` ago; who asks while it is being made waits for it. Anybody with a session gets a page of
their own, so a person always sees what they wrote; and since whoever just signed out wrote a moment
ago, their browser carries a cookie for as long as an older page may be about. See ADR 0028.
"""

import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

from flask import Flask, Response, current_app, g, request

from chassis.auth.sessions import SESSION_COOKIE
from chassis.http.app import is_api_request

MAX_AGE_SECONDS = 1.0
"""A shared page shows nothing older than this."""
MAX_PAGES = 256  # pages that one process keeps
MAX_PAGE_BYTES = 128 * 1024  # bytes of a page that is kept
BYPASS_COOKIE = "forum_fresh"
"""The cookie of somebody whose session was ended just now."""
_PATHS = ("/threads/", "/users/")
_SAFE = {"GET", "HEAD", "OPTIONS"}
_EDITION = "HTTP_IF_NONE_MATCH"


@dataclass(frozen=True)
class CachedPage:
    """A page as it left."""

    headers: tuple[tuple[str, str], ...]
    body: bytes


@dataclass
class PendingPage:
    """A page that somebody makes or made; `page` is None until then, or if it is not for others."""

    began: float
    page: CachedPage | None = None
    done: threading.Event = field(default_factory=threading.Event)


class PageCache:
    """The pages of one process, by what was asked for."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._makings: dict[Hashable, PendingPage] = {}

    def find(self, key: Hashable) -> CachedPage | PendingPage | None:
        """Return the page of less than a second ago.

        A `Making` is for the caller to make and to `finish`; None says to make one for oneself.
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
        # What took long is no longer new enough for those who waited.
        return making.page if self._clock() - making.began < MAX_AGE_SECONDS else None

    def finish(self, making: PendingPage, page: CachedPage | None) -> None:
        """Share a page that was made; None if it is not for others."""
        making.page = page
        making.done.set()

    def clear(self) -> None:
        """Forget all, since something was written."""
        with self._lock:
            self._makings.clear()

    def _drop(self, now: float) -> None:
        """Drop what is too old, and the oldest where there are many; they stand in this order."""
        for key, making in list(self._makings.items()):
            if now - making.began < MAX_AGE_SECONDS and len(self._makings) < MAX_PAGES:
                break
            del self._makings[key]


def install(app: Flask, pages: PageCache | None = None) -> None:
    """Share pages; to be installed before whatever else changes a page on its way out."""
    kept = pages or PageCache()

    @app.before_request
    def _find() -> Response | None:
        if not _is_cacheable_request():
            return None
        # All that a page for anybody depends on.
        asked = request.headers.get("Accept-Encoding", "")
        found = kept.find((request.scheme, request.host, request.full_path, asked))
        if isinstance(found, PendingPage):
            g.making = found
            # Made whole, for the sake of others; whoever asks may have it already.
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
                BYPASS_COOKIE,
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
    """Answer 304 to whoever has this very page."""
    if "ETag" in response.headers and _EDITION in request.environ:
        response.make_conditional(request)
    return response


def _ends_session(response: Response) -> bool:
    return any(
        one.startswith(f"{SESSION_COOKIE}=;") for one in response.headers.getlist("Set-Cookie")
    )


def _cacheable_page(response: Response) -> CachedPage | None:
    if (
        response.status_code != 200
        or response.mimetype != "text/html"
        or response.is_streamed
        or "Set-Cookie" in response.headers
    ):
        return None
    body = response.get_data()
    headers = tuple(pair for pair in response.headers if pair[0] != "Date")
    return CachedPage(headers, body) if len(body) <= MAX_PAGE_BYTES else None
