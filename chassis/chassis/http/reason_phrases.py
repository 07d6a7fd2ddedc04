"""Reason phrases of HTTP statuses, the same on every Python; the standard library only."""

from http import HTTPStatus

# RFC 9110 renamed these; Python follows from 3.13 on.
_RENAMED = {
    413: "Content Too Large",
    414: "URI Too Long",
    416: "Range Not Satisfiable",
    422: "Unprocessable Content",
}


def reason_phrase(status: int) -> str:
    """Return the name of a status as in RFC 9110."""
    return _RENAMED.get(status) or HTTPStatus(status).phrase
