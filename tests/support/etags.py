"""Versions in ETags, as tests expect them."""

from chassis.etags import read_version


def version_of(etag: str) -> int:
    """Return the version in an ETag, which must have one."""
    version = read_version(etag)
    assert version is not None, etag
    return version
