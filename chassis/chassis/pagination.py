"""Keyset pagination with opaque cursors."""

import hashlib
from dataclasses import dataclass
from typing import Generic, TypeVar

from itsdangerous import BadData, URLSafeSerializer

from chassis.errors import FieldError, Invalid

ITEM = TypeVar("ITEM")

Key = tuple[str, ...]
"""The sort key of a page's last item, after which the next page starts."""


@dataclass(frozen=True)
class Page(Generic[ITEM]):
    """A page of a list; `next` is the key of the next page, None at the end."""

    items: list[ITEM]
    next: Key | None


class Cursors:
    """Signer of cursors; a forged cursor is refused before it reaches a database.

    A cursor is valid for its list, in every component with the same secret, so that a client's
    cursor remains valid after the list has moved to another component.
    """

    def __init__(self, secret: str) -> None:
        self._secret = secret

    def encode(self, listing: str, key: Key | None) -> str | None:
        """Return the cursor of `key` in the list named `listing`."""
        if key is None:
            return None
        text = self._serializer(listing).dumps(list(key))
        return text if isinstance(text, str) else text.decode()

    def decode(self, listing: str, cursor: str) -> Key | None:
        """Decode a cursor; an empty one means the first page.

        Raises:
            Invalid: the cursor was tampered with or belongs to another list.
        """
        if not cursor:
            return None
        try:
            key = tuple(str(part) for part in self._serializer(listing).loads(cursor))
        except (BadData, ValueError, TypeError) as error:
            raise _foreign_cursor() from error
        # Base64 has several encodings of the same bytes; only this one was issued.
        if self.encode(listing, key) != cursor:
            raise _foreign_cursor()
        return key

    def _serializer(self, listing: str) -> URLSafeSerializer:
        return URLSafeSerializer(
            self._secret,
            salt=f"cursor:{listing}",
            signer_kwargs={"digest_method": hashlib.sha256, "key_derivation": "hmac"},
        )


def _foreign_cursor() -> Invalid:
    return Invalid(FieldError("cursor", "is not a valid cursor for this list"))
