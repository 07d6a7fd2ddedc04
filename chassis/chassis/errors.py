"""Expected failures of use cases, independent of the protocol.

Failure
 ├── Unauthenticated         the session is missing or has ended
 ├── Forbidden               the person may not do this
 ├── NotFound                the resource does not exist
 ├── Invalid                 the input breaks a rule; names each field
 ├── Conflict                the current state does not allow it
 ├── PreconditionFailed      the caller edited an outdated version
 ├── IdempotencyKeyReused    the idempotency key belongs to another request
 ├── RateLimited             over a rate limit; has a time to retry after
 └── Unavailable             a dependency is unavailable; has a time to retry after
      └── CutoverInProgress  nothing was done: the domain is being moved to another component

`chassis.http.problems` turns each into `application/problem+json`.
"""

from dataclasses import dataclass


class Failure(Exception):
    """The base of all expected failures; `detail` is shown to the caller."""

    status = 500
    problem_type = "about:blank"

    def __init__(self, detail: str, *, kind: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        if kind is not None:
            self.problem_type = kind


class Unauthenticated(Failure):
    """The session is missing or has ended."""

    status = 401


def session_ended() -> Unauthenticated:
    """Return the failure for a token from before its owner ended all sessions."""
    return Unauthenticated("This session has ended. Sign in again.")


class Forbidden(Failure):
    """The person may not do this."""

    status = 403


class NotFound(Failure):
    """The resource does not exist."""

    status = 404


class Conflict(Failure):
    """The current state does not allow the operation."""

    status = 409


class PreconditionFailed(Failure):
    """The caller edited an outdated version."""

    status = 412
    problem_type = "urn:problem:stale"


class IdempotencyKeyReused(Failure):
    """The idempotency key belongs to another request."""

    status = 422
    problem_type = "urn:problem:idempotency-key-reused"

    def __init__(self) -> None:
        super().__init__("This Idempotency-Key was already used for a different request.")


@dataclass(frozen=True)
class FieldError:
    """One field that breaks a rule; `field` is a dotted path, empty for the whole input."""

    field: str
    message: str


class Invalid(Failure):
    """The input breaks a rule."""

    status = 400

    def __init__(self, *errors: FieldError, detail: str = "The request is not valid.") -> None:
        super().__init__(detail)
        self.errors = errors


class RateLimited(Failure):
    """The caller is over a rate limit; `retry_after` is in seconds."""

    status = 429

    def __init__(self, detail: str, *, retry_after: int) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class Unavailable(Failure):
    """A dependency is unavailable; `retry_after` is in seconds."""

    status = 503

    def __init__(self, detail: str, *, retry_after: int = 2) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class CutoverInProgress(Unavailable):
    """Nothing was done: the domain is being moved to another component, for a moment."""

    problem_type = "urn:problem:cutover-in-progress"

    def __init__(self, detail: str, *, retry_after: int = 1) -> None:
        super().__init__(detail, retry_after=retry_after)
