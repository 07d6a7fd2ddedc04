"""The names of HTTP's statuses, for answers that are the same on every Python."""

from http import HTTPStatus

# RFC 9110 renamed these; Python did from 3.13 on.
_RENAMED = {
    413: "Content Too Large",
    414: "URI Too Long",
    416: "Range Not Satisfiable",
    422: "Unprocessable Content",
}


def reason_phrase(status: int) -> str:
    """Name a status as RFC 9110 does."""
    return _RENAMED.get(status) or HTTPStatus(status).phrase
