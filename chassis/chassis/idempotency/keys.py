"""Idempotency keys: the same request twice has one effect and one answer."""

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
    """Another request with this idempotency key came first; its answer is the answer."""


@dataclass(frozen=True)
class IdempotencyKey:
    """A key within its owner and path, and the fingerprint of the request it came with."""

    owner: str
    path: str
    key: str
    fingerprint: str

    @property
    def scope(self) -> str:
        """Name the key uniquely: a person's key on one path."""
        return f"{self.owner} {self.path} {self.key}"

    def require_same_request(self, fingerprint: str) -> None:
        """Refuse a key that was used before for another request.

        Raises:
            KeyReused: it was.
        """
        if not hmac.compare_digest(self.fingerprint, fingerprint):
            raise IdempotencyKeyReused


def require_stored_response(found: dict[str, Any] | None) -> dict[str, Any]:
    """Take the answer of the request that came first, after `KeyTaken`.

    Raises:
        Unavailable: it has expired in this very moment; the caller may simply ask again.
    """
    if found is None:
        detail = "An earlier request with this Idempotency-Key has just expired."
        raise Unavailable(detail, retry_after=1)
    return found


class IdempotencyKeys:
    """Makes idempotency keys; the secret keeps a stored fingerprint from being guessed back."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    def from_header(
        self, text: str | None, *, owner: str, path: str, payload: Mapping[str, Any]
    ) -> IdempotencyKey | None:
        """Take the key that came with a request; None where none came.

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
