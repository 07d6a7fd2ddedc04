"""MiniStack that refuses web pages and its own administration: `python -m infra.guarded_ministack`.

MiniStack responds to everybody, allows pages of every origin to read its responses, and deletes
everything on an unsigned request. No setting of it changes that. A check in front of its
application, in the same process, accepts what AWS clients send and pages can't send:

- A `Host` of this emulator; another name that resolves to its address is DNS rebinding.
- No `Origin`, which browsers add to preflights, and to all requests that are not simple reads.
- A signature, which a page can't add without a preflight. MiniStack does not verify it here, but
  an image's URL or a form without `Origin` has none.
"""

import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ministack import app

Application = Callable[[Any, Any, Any], Awaitable[None]]

READY_PATH = "/_ministack/ready"
ADMINISTRATION = ("/_ministack", "/_localstack", "/_aws")
REFUSAL = b"This emulator serves AWS clients only: no web pages, and no administration.\n"
HOSTS = frozenset({"127.0.0.1", "localhost", os.environ.get("MINISTACK_HOST", "localhost")})


@dataclass(frozen=True)
class Guard:
    """The requests that an emulator accepts: its host names, and its callers by access key."""

    hosts: frozenset[str] = HOSTS
    is_caller: Callable[[str], bool] = lambda _: True

    def allows(self, method: str, path: str, headers: Mapping[str, str]) -> bool:
        """Return whether a request comes from an AWS client or from a readiness check."""
        if "origin" in headers or host_name(headers) not in self.hosts:
            return False
        if path.startswith(ADMINISTRATION):
            return (method, path) == ("GET", READY_PATH)
        algorithm, _, signature = headers.get("authorization", "").partition(" ")
        credential = signature.partition("Credential=")[2]
        return algorithm.startswith("AWS4-") and self.is_caller(credential.partition("/")[0])

    def protect(self, application: Application) -> Application:
        """Return an application that refuses what is not allowed."""

        async def guarded(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "lifespan":
                await application(scope, receive, send)
            elif scope["type"] != "http":
                # No client of ours opens a WebSocket; closed before it is accepted, it is a 403.
                await send({"type": "websocket.close"})
            elif self.allows(scope["method"], scope["path"], read_headers(scope)):
                await application(scope, receive, send)
            else:
                await refuse(send)

        return guarded


def read_headers(scope: Any) -> dict[str, str]:
    """Return a request's headers; names are in lower case."""
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}


def host_name(headers: Mapping[str, str]) -> str:
    """Return the host that a request names, without its port."""
    return headers.get("host", "").partition(":")[0]


async def refuse(send: Any) -> None:
    """Respond with 403 and the reason."""
    plain = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "http.response.start", "status": 403, "headers": plain})
    await send({"type": "http.response.body", "body": REFUSAL})


if __name__ == "__main__":
    app.app = Guard().protect(app.app)
    app.main()
