"""MiniStack that refuses web pages and its own administration: `python -m infra.guarded_ministack`.

MiniStack responds to everybody, allows pages of every origin to read its responses, and deletes
everything on an unsigned request. No setting of it changes that. A check in front of its
application, in the same process, accepts what AWS clients send and pages can't send:

- A `Host` of this emulator; another name that resolves to its address is DNS rebinding.
- No `Origin`, which browsers add to preflights, and to all requests that are not simple reads.
- A signature, which a page can't add without a preflight. MiniStack does not verify it, but an
  image's URL or a form without `Origin` has none.
"""

import os
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from ministack import app

Application = Callable[[Any, Any, Any], Awaitable[None]]

READY_PATH = "/_ministack/ready"
ADMINISTRATION = ("/_ministack", "/_localstack")
REFUSAL = b"This emulator serves AWS clients only: no web pages, and no administration.\n"
_HOSTS = frozenset({"127.0.0.1", "localhost", os.environ.get("MINISTACK_HOST", "localhost")})


def is_allowed(method: str, path: str, headers: Mapping[str, str]) -> bool:
    """Return whether a request comes from an AWS client or from a readiness check."""
    if "origin" in headers or headers.get("host", "").partition(":")[0] not in _HOSTS:
        return False
    if path.startswith(ADMINISTRATION):
        return (method, path) == ("GET", READY_PATH)
    return headers.get("authorization", "").startswith("AWS4-")


def guard(
    application: Application, is_exempt: Callable[[str], bool] = lambda _: False
) -> Application:
    """Return an application that refuses what is not allowed, except for exempt hosts."""

    async def guarded(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await application(scope, receive, send)
        elif scope["type"] != "http":
            # No client of ours opens a WebSocket; closed before it is accepted, it is a 403.
            await send({"type": "websocket.close"})
        else:
            headers = {
                name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
            }
            if is_exempt(headers.get("host", "")) or is_allowed(
                scope["method"], scope["path"], headers
            ):
                await application(scope, receive, send)
                return
            plain = [(b"content-type", b"text/plain; charset=utf-8")]
            await send({"type": "http.response.start", "status": 403, "headers": plain})
            await send({"type": "http.response.body", "body": REFUSAL})

    return guarded


if __name__ == "__main__":
    app.app = guard(app.app)
    app.main()
