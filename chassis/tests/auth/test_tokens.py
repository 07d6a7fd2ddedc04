"""Sessions: only tokens signed by the private key are valid, until they expire."""

import base64
import hashlib
import hmac
import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chassis.auth.tokens import Issuer, Verifier, key_set, load_private_key, thumbprint
from chassis.clock import CLOCK_LEEWAY, utc_now
from chassis.errors import Unauthenticated


@dataclass(frozen=True)
class Claims:
    username: str
    name: str
    role: str
    suspended: bool
    ver: int


NOW = datetime.now(UTC).replace(microsecond=0)
CLAIMS = {
    "iss": "forum",
    "sub": "ann-id",
    "username": "ann",
    "name": "Ann",
    "role": "member",
    "suspended": False,
    "ver": 3,
    "jti": "session-id",
    "iat": int(NOW.timestamp()),
    "exp": int((NOW + timedelta(hours=1)).timestamp()),
}


def pem(key) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


def b64(content) -> str:
    text = content if isinstance(content, bytes) else json.dumps(content).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


@pytest.fixture(scope="module")
def verifier(session_keys):
    return Verifier(session_keys.public, Claims)


@pytest.fixture(scope="module")
def kid(session_keys):
    return json.loads(session_keys.public)["keys"][0]["kid"]


@pytest.fixture(scope="module")
def private_key(session_keys):
    # Loaded once: loading a key checks it, which takes longer than signing.
    return load_private_key(session_keys.private)


@pytest.fixture
def signed(private_key, kid):
    """Sign claims with the right key."""

    def signed(header=None, without=(), **claims):
        content = {name: value for name, value in (CLAIMS | claims).items() if name not in without}
        headers = {"kid": kid} if header is None else header
        # Not jwt.encode, which validates claims, unlike an attacker with the key.
        text = json.dumps(content).encode()
        return jwt.api_jws.encode(text, private_key, algorithm="RS256", headers=headers)

    return signed


def refused(verifier, token):
    with pytest.raises(Unauthenticated) as failure:
        verifier.verify(token)
    assert failure.value.detail == "The session is invalid or has expired."


def test_issued_token_verifies_to_its_claims(session_keys, verifier):
    claims = Claims("ann", "Ännchen", "moderator", suspended=True, ver=7)
    token, expires_at = Issuer(session_keys.private).issue(
        "ann-id", "s1", asdict(claims), utc_now()
    )
    identity = verifier.verify(token)
    assert (identity.subject, identity.session, identity.claims) == ("ann-id", "s1", claims)
    assert identity.expires_at == expires_at
    # As SECURITY.md promises, and for as long as docs/deploy.md keeps a former key.
    assert abs(expires_at - datetime.now(UTC) - timedelta(hours=12)) < timedelta(minutes=1)
    assert token not in repr(identity)


def test_expired_token_is_refused_after_a_leeway(verifier, signed):
    now = utc_now()  # of this test: others may have run for long
    in_time = now - CLOCK_LEEWAY + timedelta(seconds=30)
    too_late = now - CLOCK_LEEWAY - timedelta(seconds=1)
    assert verifier.verify(signed(exp=int(in_time.timestamp()))).subject == "ann-id"
    refused(verifier, signed(exp=int(too_late.timestamp())))


def test_token_from_a_fast_clock_is_accepted_within_the_leeway(verifier, signed):
    now = utc_now()
    ahead = now + CLOCK_LEEWAY - timedelta(seconds=30)
    too_far = now + CLOCK_LEEWAY + timedelta(seconds=30)
    assert verifier.verify(signed(iat=int(ahead.timestamp()))).subject == "ann-id"
    refused(verifier, signed(iat=int(too_far.timestamp())))


@pytest.mark.parametrize("claim", CLAIMS)
def test_token_without_one_of_its_claims_is_refused(verifier, signed, claim):
    refused(verifier, signed(without=[claim]))


@pytest.mark.parametrize("claims", [{"iss": "other"}, {"sub": 7}, {"exp": "soon"}, {"iat": "now"}])
def test_token_with_invalid_claims_is_refused(verifier, signed, claims):
    refused(verifier, signed(**claims))


@pytest.mark.parametrize("claim", ["exp", "iat", "nbf"])
@pytest.mark.parametrize(
    "value", [float("inf"), float("nan"), "soon", "", [], {}, [1], 1e308, 10**400]
)
def test_token_with_an_impossible_time_is_refused(verifier, signed, claim, value):
    refused(verifier, signed(**{claim: value}))


@pytest.mark.parametrize("value", [1e18, 10**18, 1e13, "9999999999", True, None, -1, float("-inf")])
def test_token_with_an_impossible_expiry_is_refused(verifier, signed, value):
    refused(verifier, signed(exp=value))


NUMBERS = st.integers() | st.floats() | st.integers(-(10**30), 10**30)
JSON = st.none() | st.booleans() | NUMBERS | st.text() | st.lists(NUMBERS) | st.just({})


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(claims=st.dictionaries(st.sampled_from([*CLAIMS, "nbf", "aud"]), JSON))
def test_token_with_any_claims_is_verified_or_refused(verifier, signed, claims):
    token = signed(**claims)
    try:
        identity = verifier.verify(token)
    except Unauthenticated:
        return
    assert identity.expires_at > utc_now() - CLOCK_LEEWAY - timedelta(minutes=1)


@pytest.mark.parametrize("header", [{}, {"kid": "unknown"}])
def test_token_that_names_no_known_key_is_refused(verifier, signed, header):
    refused(verifier, signed(header=header))


def test_token_signed_by_another_key_is_refused_despite_its_kid(verifier, kid):
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    refused(verifier, jwt.encode(CLAIMS, other, algorithm="RS256", headers={"kid": kid}))
    curve = ec.generate_private_key(ec.SECP256R1())
    refused(verifier, jwt.encode(CLAIMS, curve, algorithm="ES256", headers={"kid": kid}))


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "nOnE", ""])
def test_unsigned_token_is_refused(verifier, kid, algorithm):
    head = b64({"alg": algorithm, "typ": "JWT", "kid": kid})
    refused(verifier, f"{head}.{b64(CLAIMS)}.")
    refused(verifier, f"{head}.{b64(CLAIMS)}.{b64(b'x')}")


def test_token_signed_with_the_public_key_as_a_secret_is_refused(verifier, session_keys, kid):
    private = serialization.load_pem_private_key(session_keys.private.encode(), password=None)
    public = private.public_key()
    jwk = json.loads(session_keys.public)["keys"][0]
    pem_form = public.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    der_form = public.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    for algorithm, digest in (("HS256", hashlib.sha256), ("HS512", hashlib.sha512)):
        signing = f"{b64({'alg': algorithm, 'typ': 'JWT', 'kid': kid})}.{b64(CLAIMS)}"
        for secret in (pem_form, pem_form.strip(), der_form, jwk["n"].encode(), b""):
            signature = hmac.new(secret, signing.encode(), digest).digest()
            refused(verifier, f"{signing}.{b64(signature)}")


def test_changed_token_is_refused(verifier, signed):
    head, body, signature = signed().split(".")
    promoted = b64(CLAIMS | {"role": "moderator"})
    refused(verifier, f"{head}.{promoted}.{signature}")
    refused(verifier, f"{head}.{body}.{signature[:-8]}AAAAAAAA")
    refused(verifier, f"{head}.{body}.")
    refused(verifier, f"{head}.{body}")


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "..",
        "a.b.c",
        "é.é.é",
        "\0",
        "x" * 8000,
        f"{b64([])}.{b64([])}.",
        f"{b64({'alg': 'RS256', 'kid': []})}.{b64(CLAIMS)}.AAAA",
        f"{b64({'alg': 'RS256', 'kid': {}})}.{b64(CLAIMS)}.AAAA",
        f"{b64({'alg': ['RS256'], 'kid': 'k'})}.{b64(CLAIMS)}.AAAA",
        f"{b64({'alg': 'RS256', 'kid': None})}.{b64(CLAIMS)}.AAAA",
        f"{b64(b'[' * 5000)}.{b64(CLAIMS)}.AAAA",
        f"{b64(b'{')}.{b64(CLAIMS)}.AAAA",
    ],
)
def test_malformed_token_is_refused(verifier, token):
    refused(verifier, token)


def test_key_set_holds_nothing_private(session_keys):
    (key,) = key_set(session_keys.private)["keys"]
    assert set(key) == {"kty", "n", "e", "kid", "alg", "use"}


def test_only_rsa_keys_sign():
    text = pem(ec.generate_private_key(ec.SECP256R1()))
    with pytest.raises(TypeError):
        Issuer(text)
    with pytest.raises(TypeError):
        key_set(text)


def test_thumbprint_is_that_of_the_example_in_rfc_7638():
    modulus = (
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPeb"
        "WKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368Q"
        "QMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2"
        "NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
    )
    jwk = {"kty": "RSA", "n": modulus, "e": "AQAB", "alg": "RS256", "kid": "2011-04-29"}
    assert thumbprint(jwk) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
