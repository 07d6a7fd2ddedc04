"""What can go wrong in a use case, whatever carries the answer.

Failure
 ├── Unauthenticated     nobody is signed in, or the session has ended
 ├── Forbidden           the person may not do this
 ├── NotFound            there is no such thing
 ├── Invalid             the input breaks a rule; names each field
 ├── Conflict            the state of things does not allow it
 ├── Stale               the caller edited an outdated version
 ├── KeyReused           an idempotency key came back with another request
 ├── TooMany             over a rate limit; says when to come back
 └── Unavailable         a part that this needs does not answer; says when to come back
      └── Moving         nothing was done: the domain is on its way to another component

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
    """Nobody is signed in, or the session has ended."""

    status = 401


class Forbidden(Failure):
    """The person may not do this."""

    status = 403


class NotFound(Failure):
    """There is no such thing."""

    status = 404


class Conflict(Failure):
    """The state of things does not allow it."""

    status = 409


class PreconditionFailed(Failure):
    """The caller edited an outdated version."""

    status = 412
    problem_type = "urn:problem:stale"


class IdempotencyKeyReused(Failure):
    """An idempotency key came back with another request."""

    status = 422
    problem_type = "urn:problem:idempotency-key-reused"

    def __init__(self) -> None:
        super().__init__("This Idempotency-Key was used for another request.")


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
    """Over a rate limit; `retry_after` is in seconds."""

    status = 429

    def __init__(self, detail: str, *, retry_after: int) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class Unavailable(Failure):
    """A part that this needs does not answer; `retry_after` is in seconds."""

    status = 503

    def __init__(self, detail: str, *, retry_after: int = 2) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class CutoverInProgress(Unavailable):
    """Nothing was done: the domain is on its way to another component, for a moment."""

    problem_type = "urn:problem:cutover-in-progress"

    def __init__(self, detail: str, *, retry_after: int = 1) -> None:
        super().__init__(detail, retry_after=retry_after)
