"""Sessions: JSON Web Tokens that each component verifies by itself."""

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from chassis.errors import Unauthenticated

ALGORITHM = "RS256"
ISSUER = "forum"
TOKEN_LIFETIME = timedelta(hours=12)
# Clocks of machines differ: a token is honoured this long before and after its time.
CLOCK_LEEWAY = timedelta(seconds=90)


@dataclass(frozen=True)
class Identity:
    """Who a verified token speaks for, as of the time it was issued."""

    subject: str
    username: str
    name: str
    role: str
    suspended: bool
    version: int
    session: str
    expires_at: datetime
    token: str = field(repr=False)


class Verifier:
    """Verifies tokens with the public keys of a JSON Web Key Set."""

    def __init__(self, public_keys: str) -> None:
        self._keys: Mapping[str | None, Any] = {
            key.key_id: key.key for key in jwt.PyJWKSet.from_json(public_keys).keys
        }

    def verify(self, token: str) -> Identity:
        """Tell whom a token speaks for.

        Raises:
            Unauthenticated: the token is forged, malformed, of an unknown key or has expired.
        """
        try:
            key = self._keys[jwt.get_unverified_header(token).get("kid")]
            claims = jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                issuer=ISSUER,
                leeway=CLOCK_LEEWAY,
                options={"require": ["sub", "exp", "iat", "jti"]},
            )
            return Identity(
                subject=claims["sub"],
                username=claims["username"],
                name=claims["name"],
                role=claims["role"],
                suspended=claims["suspended"],
                version=claims["ver"],
                session=claims["jti"],
                expires_at=datetime.fromtimestamp(claims["exp"], UTC),
                token=token,
            )
        except (jwt.PyJWTError, KeyError, ValueError, TypeError, RecursionError) as error:
            raise Unauthenticated("The session is not valid or has ended.") from error


class Issuer:
    """Issues tokens with the private key."""

    def __init__(self, private_key: str) -> None:
        key = load_pem_private_key(private_key.encode(), password=None)
        if not isinstance(key, RSAPrivateKey):
            msg = "the session's private key must be an RSA key"
            raise TypeError(msg)
        self._key = key
        public = jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
        self._kid = thumbprint(public)

    def issue(
        self,
        *,
        subject: str,
        username: str,
        name: str,
        role: str,
        suspended: bool,
        version: int,
        session: str,
        now: datetime,
    ) -> tuple[str, datetime]:
        """Issue a token for 12 hours; answers it and when it ends."""
        expires_at = now.replace(microsecond=0) + TOKEN_LIFETIME
        claims = {
            "iss": ISSUER,
            "sub": subject,
            "username": username,
            "name": name,
            "role": role,
            "suspended": suspended,
            "ver": version,
            "jti": session,
            "iat": int(now.timestamp()),
            "exp": int(expires_at.timestamp()),
        }
        token = jwt.encode(claims, self._key, algorithm=ALGORITHM, headers={"kid": self._kid})
        return token, expires_at


def thumbprint(jwk: Mapping[str, Any]) -> str:
    """Name an RSA key by its RFC 7638 thumbprint."""
    members = json.dumps(
        {name: jwk[name] for name in ("e", "kty", "n")}, separators=(",", ":"), sort_keys=True
    )
    digest = hashlib.sha256(members.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def key_set(private_key: str) -> dict[str, Any]:
    """Make the public JSON Web Key Set that belongs to a private key in PEM."""
    key = load_pem_private_key(private_key.encode(), password=None)
    if not isinstance(key, RSAPrivateKey):
        msg = "the session's private key must be an RSA key"
        raise TypeError(msg)
    jwk = jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    jwk.pop("key_ops", None)
    return {"keys": [{**jwk, "kid": thumbprint(jwk), "alg": ALGORITHM, "use": "sig"}]}
