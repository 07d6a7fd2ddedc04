"""Compression and conditional responses of pages."""

import gzip
import hashlib

from flask import Response, g, request

from forum.web.assets import GZIP, accepts_gzip

COMPRESSION_LEVEL = 4
"""Out of zlib's nine: half a millisecond for a long page, within a tenth of the smallest size."""
MIN_COMPRESSED_BYTES = 1000  # bytes; smaller responses fit into one packet anyway


def finish_response(response: Response) -> Response:
    """Add an ETag and compress a page.

    An anonymous page is the same for everybody, so it gets an ETag of its content, and a client
    that has this version gets a 304. Pages of signed-in users contain a token that is new each
    time.
    """
    if response.mimetype != "text/html" or response.is_streamed:
        return response
    response.vary.add("Accept-Encoding")
    if _is_public(response):
        edition = hashlib.blake2b(response.get_data(), digest_size=12).hexdigest()
        response.set_etag(edition, weak=True)
        response.make_conditional(request)
        if response.status_code == 304:
            return response
    page = response.get_data()
    if len(page) > MIN_COMPRESSED_BYTES and accepts_gzip():
        # No secret in it is the same on every page (see `csrf`), so its size leaks none.
        response.set_data(gzip.compress(page, COMPRESSION_LEVEL, mtime=0))
        response.headers["Content-Encoding"] = GZIP
    return response


def _is_public(response: Response) -> bool:
    return (
        request.method in {"GET", "HEAD"}
        and response.status_code == 200
        and g.get("identity") is None
        and "Set-Cookie" not in response.headers
    )
