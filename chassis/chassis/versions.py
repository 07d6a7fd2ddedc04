"""Optimistic edits: nobody overwrites a version that they have not seen."""

from chassis.errors import Stale

Precondition = frozenset[int] | None
"""The versions that an edit may replace; None where the caller named none."""


def must_be_current(version: int, expected: Precondition) -> None:
    """Let an edit go on only from a version that the caller has seen.

    Raises:
        Stale: somebody changed it meanwhile.
    """
    if expected is not None and version not in expected:
        detail = "This was changed meanwhile."
        raise Stale(detail)
