"""Responses of other components: their content, or the equivalent local failure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from json import loads
from typing import Any, TypeVar

from chassis import errors, etags
from chassis.client.connection_pool import HttpResponse
from chassis.headers import CUTOVER

T = TypeVar("T")


@dataclass(frozen=True)
class ServiceResponse:
    """A successful response of another component; `body` is None without content."""

    peer: str
    status: int
    body: Any
    headers: Mapping[str, str]

    @property
    def version(self) -> int:
        """The version in the ETag.

        Raises:
            ValueError: the response has no ETag with a version.
        """
        version = etags.read_version(self.headers.get("ETag", ""))
        if version is None:
            msg = "no version in the ETag"
            raise ValueError(msg)
        return version

    def parse(self, parse: Callable[["ServiceResponse"], T]) -> T:
        """Parse the response.

        Raises:
            Unavailable: the response does not have the form that `parse` expects.
        """
        try:
            return parse(self)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            detail = f"{self.peer.capitalize()} are temporarily unavailable (invalid response)."
            raise errors.Unavailable(detail) from error


def body_with_version(reply: ServiceResponse) -> dict[str, Any]:
    """Return a response's content together with its version; for `ServiceResponse.parse`."""
    return {**reply.body, "version": reply.version}


def to_service_response(peer: str, answer: HttpResponse) -> ServiceResponse:
    """Convert an HTTP response.

    Raises:
        Failure: the peer refused the request; raised as the same failure here.
        Unavailable: the response breaks the contract.
    """
    try:
        body = loads(answer.body.decode()) if answer.body else None
    except (ValueError, RecursionError) as error:
        raise service_unavailable(peer) from error
    if 200 <= answer.status < 300:
        return ServiceResponse(peer, answer.status, body, answer.headers)
    raise _failure(peer, answer, body)


def service_unavailable(peer: str) -> errors.Unavailable:
    """Return the failure for an unreachable peer."""
    return errors.Unavailable(f"{peer.capitalize()} are temporarily unavailable.")


def is_cutover(answer: HttpResponse) -> bool:
    """Return whether a healthy peer refused a request because its domain is being moved."""
    return answer.status == 503 and CUTOVER in answer.headers


def _failure(peer: str, answer: HttpResponse, body: Any) -> errors.Failure:
    if is_cutover(answer):
        return errors.CutoverInProgress(
            f"{peer.capitalize()} are briefly unavailable while they are being moved."
        )
    if not isinstance(body, dict) or answer.status >= 500:
        return service_unavailable(peer)
    detail = str(body.get("detail", ""))
    kind = str(body.get("type", "about:blank"))
    match answer.status:
        case 400:
            return errors.Invalid(*_fields(body.get("errors")), detail=detail)
        case 401:
            return errors.Unauthenticated(detail, kind=kind)
        case 403:
            return errors.Forbidden(detail, kind=kind)
        case 404:
            return errors.NotFound(detail, kind=kind)
        case 409:
            return errors.Conflict(detail, kind=kind)
        case 412:
            return errors.PreconditionFailed(detail)
        case 422:
            return errors.IdempotencyKeyReused()
        case 429:
            after = answer.headers.get("Retry-After", "60")
            return errors.RateLimited(detail, retry_after=int(after) if after.isdigit() else 60)
    return service_unavailable(peer)


def _fields(entries: Any) -> list[errors.FieldError]:
    """Read the field errors of a response; malformed entries are skipped."""
    return [
        errors.FieldError(str(entry.get("field", "")), str(entry.get("message", "")))
        for entry in (entries if isinstance(entries, list) else [])
        if isinstance(entry, dict)
    ]
