"""Idempotency keys: a repeated request has one effect and one response."""

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from chassis.errors import FieldError, IdempotencyKeyReused, Invalid, Unavailable
from chassis.headers import IDEMPOTENCY_KEY

RETENTION = timedelta(hours=24)
_VISIBLE_ASCII = re.compile(r"[!-~]{1,200}")


class DuplicateIdempotencyKey(Exception):
    """Another request with this idempotency key came first; its response is to be returned."""


@dataclass(frozen=True)
class IdempotencyKey:
    """A key, scoped to its owner and path, with the fingerprint of its request."""

    owner: str
    path: str
    key: str
    fingerprint: str

    @property
    def scope(self) -> str:
        """Return the unique name of the key: a person's key on one path."""
        return f"{self.owner} {self.path} {self.key}"

    def require_same_request(self, fingerprint: str) -> None:
        """Refuse a key that was used for another request.

        Raises:
            IdempotencyKeyReused: it was.
        """
        if not hmac.compare_digest(self.fingerprint, fingerprint):
            raise IdempotencyKeyReused


def require_stored_response(found: dict[str, Any] | None) -> dict[str, Any]:
    """Return the first request's response, after `DuplicateIdempotencyKey`.

    Raises:
        Unavailable: it has expired in this moment; the caller may retry.
    """
    if found is None:
        detail = (
            "An earlier request with this Idempotency-Key has just expired. Send the request again."
        )
        raise Unavailable(detail, retry_after=1)
    return found


class IdempotencyKeys:
    """Factory of idempotency keys; the secret protects stored fingerprints against guessing."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    def from_header(
        self, text: str | None, *, owner: str, path: str, payload: Mapping[str, Any]
    ) -> IdempotencyKey | None:
        """Read a request's key; None without one.

        Raises:
            Invalid: the key is not 1 to 200 characters of visible ASCII.
        """
        if text is None:
            return None
        if not _VISIBLE_ASCII.fullmatch(text):
            message = "must be 1 to 200 visible ASCII characters"
            raise Invalid(FieldError(IDEMPOTENCY_KEY, message))
        canonical = json.dumps(payload, sort_keys=True, separators=(",", ":"))
        digest = hmac.new(self._secret, canonical.encode(), hashlib.sha256).hexdigest()
        return IdempotencyKey(owner, path, text, digest)
