"""Entity tags of an API: the version of what users can edit, and a digest of the representation."""

import hashlib
import re

DIGEST_BYTES = 12
_VERSION = r"[1-9][0-9]{0,17}"
_DIGEST = rf"[0-9a-f]{{{2 * DIGEST_BYTES}}}"
PATTERN = rf'^"({_VERSION}-)?{_DIGEST}"$'
"""The form of the tags that an API sends."""
# A bare version was the whole tag in earlier revisions, and components send it to each other.
_VERSIONED = re.compile(rf'"({_VERSION})(?:-{_DIGEST})?"')


def make_etag(content: bytes, version: int | None = None) -> str:
    """Return the strong tag of a representation; of a list, which nobody edits, without version."""
    digest = hashlib.blake2b(content, digest_size=DIGEST_BYTES).hexdigest()
    return f'"{digest}"' if version is None else f'"{version}-{digest}"'


def read_version(tag: str) -> int | None:
    """Return the version in a strong tag; None if it is weak or has another form."""
    found = _VERSIONED.fullmatch(tag)
    return int(found[1]) if found else None


def split_tags(header: str) -> list[str]:
    """Split the list in `If-Match` or `If-None-Match`.

    No tag of an API contains a comma, so other tags may break into parts that match nothing.
    """
    return [tag.strip(" \t") for tag in header.split(",")]


def matches_weakly(header: str, etag: str) -> bool:
    """Return whether `If-None-Match` names a representation (RFC 9110 compares weakly here).

    A malformed member of the list matches nothing.
    """
    return header.strip(" \t") == "*" or etag in {
        tag.removeprefix("W/") for tag in split_tags(header)
    }
