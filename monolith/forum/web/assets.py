"""Static files under content-addressed URLs, which can be cached forever."""

import gzip
import hashlib
import mimetypes
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from flask import Flask, Response, request
from werkzeug.exceptions import NotFound

FOLDER = Path(__file__).parent / "static"
FOREVER = "public, max-age=31536000, immutable"
GZIP = "gzip"


@dataclass(frozen=True)
class Asset:
    """A file in memory, plain and compressed."""

    content_type: str
    plain: bytes
    compressed: bytes


class Assets:
    """Static files of a folder, read on first use.

    They share one fingerprint, so that a script can import others by relative URLs.
    `names` are the served files, by default all; `prefix` distinguishes several folders.
    """

    def __init__(
        self,
        folder: Path = FOLDER,
        names: Collection[str] | None = None,
        prefix: str = "/static",
    ) -> None:
        self._folder = folder
        self._names = names
        self._prefix = prefix

    @cached_property
    def _files(self) -> dict[str, Asset]:
        names = self._names or [path.name for path in self._folder.iterdir() if path.is_file()]
        return {name: _read(self._folder / name) for name in sorted(names)}

    @cached_property
    def fingerprint(self) -> str:
        """The hash of the names and contents of all files."""
        together = hashlib.sha256()
        for name, file in self._files.items():
            together.update(f"{name}\0{len(file.plain)}\0".encode() + file.plain)
        return together.hexdigest()[:12]

    def address(self, name: str) -> str:
        """Return the URL of an existing file."""
        if name not in self._files:
            raise LookupError(name)
        return f"{self._prefix}/{self.fingerprint}/{name}"

    def install(self, app: Flask) -> None:
        """Serve the files."""

        # flask-openapi3 reads a view's arguments from models; `route` of a plain Flask does not.
        @app.route(f"{self._prefix}/<fingerprint>/<name>", endpoint=f"files of {self._prefix}")
        def static_file(fingerprint: str, name: str) -> Response:
            """Serve a static file."""
            file = self._files.get(name)
            if file is None:
                raise NotFound
            packed = accepts_gzip()
            response = Response(
                file.compressed if packed else file.plain, content_type=file.content_type
            )
            if packed:
                response.headers["Content-Encoding"] = GZIP
            response.headers["Vary"] = "Accept-Encoding"
            # During a rolling deployment, a page of one revision may request files of another; they
            # are similar enough to show it, but must not be cached.
            known = fingerprint == self.fingerprint
            response.headers["Cache-Control"] = FOREVER if known else "no-store"
            return response


def accepts_gzip() -> bool:
    """Return whether the client accepts compressed responses."""
    return request.accept_encodings[GZIP] > 0


def _read(path: Path) -> Asset:
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    if kind.startswith("text/"):
        kind += "; charset=utf-8"
    plain = path.read_bytes()
    return Asset(kind, plain, gzip.compress(plain, 9, mtime=0))
