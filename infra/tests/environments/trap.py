"""An address that no local command may call, and the variables that lead clients there."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PROXIES = tuple(
    spelling
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
    for spelling in (name, name.lower())
)
ENDPOINTS = tuple(
    f"AWS_ENDPOINT_URL{suffix}" for suffix in ("", "_DYNAMODB", "_SNS", "_SQS", "_STS")
)

_VARIABLES = {
    **dict.fromkeys((*PROXIES, *ENDPOINTS), "{trap}"),
    "AWS_PROFILE": "production",
    "AWS_DEFAULT_PROFILE": "production",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "theirs",
    "AWS_SECRET_ACCESS_KEY": "theirs",
    "AWS_SESSION_TOKEN": "theirs",
    "AWS_CONFIG_FILE": "{settings}",
    "AWS_SHARED_CREDENTIALS_FILE": "{credentials}",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
    "AWS_RETRY_MODE": "nonsense",
    "AWS_MAX_ATTEMPTS": "many",
    "AWS_DEFAULTS_MODE": "nonsense",
    "NO_PROXY": "localhost",
    "no_proxy": "localhost",
}
VARIABLES = tuple(sorted(_VARIABLES))


class Server(ThreadingHTTPServer):
    """A server that gives every request the same response, and remembers all requests."""

    def __init__(self, status: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status = status
        self.received: list[dict[str, str]] = []

    @property
    def url(self) -> str:
        """The base URL."""
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def answer(self) -> None:
        self.server.received.append({"request": self.requestline, **self.headers})
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(self.server.status)
        self.send_header("Content-Type", "application/x-amz-json-1.0")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    do_GET = do_POST = do_PUT = do_HEAD = do_CONNECT = answer

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@contextmanager
def serve(status: int) -> Iterator[Server]:
    """Run a server within the block."""
    with Server(status) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def foreign_variables(trap: str, folder: Path) -> dict[str, str]:
    """Return a shell's variables for other systems: each of them leads to the trap, or fails."""
    return {
        name: value.format(trap=trap, **_write_files(trap, folder))
        for name, value in _VARIABLES.items()
    }


def _write_files(trap: str, folder: Path) -> dict[str, str]:
    settings, credentials = folder / "aws-config", folder / "aws-credentials"
    settings.write_text(
        f"[default]\nregion = us-east-1\nendpoint_url = {trap}\n"
        f"[profile production]\nregion = us-east-1\nendpoint_url = {trap}\n"
    )
    credentials.write_text(
        "[default]\naws_access_key_id = theirs\naws_secret_access_key = theirs\n"
    )
    return {"settings": str(settings), "credentials": str(credentials)}
