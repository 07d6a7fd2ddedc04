"""Session tokens: JSON Web Tokens that each component verifies by itself."""

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeVar

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from chassis import codec
from chassis.clock import CLOCK_LEEWAY
from chassis.errors import Unauthenticated
from chassis.product import NAME

ALGORITHM = "RS256"
TOKEN_LIFETIME = timedelta(hours=12)

_EPOCH = datetime.fromtimestamp(0, UTC)

CLAIMS = TypeVar("CLAIMS")


@dataclass(frozen=True)
class Identity(Generic[CLAIMS]):
    """The subject of a verified token, with the application's own claims as of its issue."""

    subject: str
    session: str
    expires_at: datetime
    claims: CLAIMS
    token: str = field(repr=False)


class Verifier(Generic[CLAIMS]):
    """Verifier of tokens, with the public keys of a JSON Web Key Set.

    `claims` is a dataclass whose fields are the claims that a component needs.
    """

    def __init__(self, public_keys: str, claims: type[CLAIMS]) -> None:
        self._claims = claims
        self._keys: Mapping[str | None, Any] = {
            key.key_id: key.key for key in jwt.PyJWKSet.from_json(public_keys).keys
        }

    def verify(self, token: str) -> Identity[CLAIMS]:
        """Return the identity that a token proves.

        Raises:
            Unauthenticated: the token is forged, malformed, expired, of an unknown key or without
                a claim.
        """
        try:
            key = self._keys[jwt.get_unverified_header(token).get("kid")]
            content = jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                issuer=NAME,
                leeway=CLOCK_LEEWAY,  # before and after its time
                options={"require": ["sub", "exp", "iat", "jti"]},
            )
            return Identity(
                subject=content["sub"],
                session=content["jti"],
                expires_at=_EPOCH + timedelta(seconds=content["exp"]),
                claims=codec.from_json(self._claims, content),
                token=token,
            )
        # OverflowError: a time that no datetime, or no integer, can represent.
        except (
            jwt.PyJWTError,
            KeyError,
            ValueError,
            TypeError,
            OverflowError,
            RecursionError,
        ) as error:
            raise Unauthenticated("The session is invalid or has expired.") from error


class Issuer:
    """Issuer of tokens, with the private key."""

    def __init__(self, private_key: str) -> None:
        self._key = load_private_key(private_key)
        public = jwt.algorithms.RSAAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
        self._kid = thumbprint(public)

    def issue(
        self, subject: str, session: str, claims: Mapping[str, Any], now: datetime
    ) -> tuple[str, datetime]:
        """Issue a token; return it with the time of its expiry, `TOKEN_LIFETIME` from now."""
        expires_at = now.replace(microsecond=0) + TOKEN_LIFETIME
        content = {
            "iss": NAME,
            "sub": subject,
            **claims,
            "jti": session,
            "iat": int(now.timestamp()),
            "exp": int(expires_at.timestamp()),
        }
        token = jwt.encode(content, self._key, algorithm=ALGORITHM, headers={"kid": self._kid})
        return token, expires_at


def load_private_key(pem: str) -> RSAPrivateKey:
    """Load an RSA private key.

    Raises:
        ValueError, TypeError: the text is not one in PEM.
    """
    key = load_pem_private_key(pem.encode(), password=None)
    if not isinstance(key, RSAPrivateKey):
        msg = "the session's private key must be an RSA key"
        raise TypeError(msg)
    return key


def thumbprint(jwk: Mapping[str, Any]) -> str:
    """Return the RFC 7638 thumbprint of an RSA key."""
    # RFC 7638 requires this order.
    members = json.dumps({name: jwk[name] for name in ("e", "kty", "n")}, separators=(",", ":"))
    digest = hashlib.sha256(members.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def key_set(private_key: str) -> dict[str, Any]:
    """Return the public JSON Web Key Set of a private key in PEM."""
    public = load_private_key(private_key).public_key()
    jwk = jwt.algorithms.RSAAlgorithm.to_jwk(public, as_dict=True)
    jwk.pop("key_ops", None)
    return {"keys": [{**jwk, "kid": thumbprint(jwk), "alg": ALGORITHM, "use": "sig"}]}
