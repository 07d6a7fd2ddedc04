"""`/api/users/sessions`: signing in and out, tokens and cookies."""

import base64
import json
import re
import time
from datetime import UTC, datetime, timedelta
from http.cookies import Morsel, SimpleCookie
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.contract.support.client import Answer, Client
from tests.contract.support.people import PASSWORD, People, Person, sign_in
from tests.contract.support.writing import NOWHERE, open_thread, reply

SESSIONS = "/api/users/sessions"
ME = "/api/users/me"
WRONG = "urn:problem:wrong-credentials"


def _sign_in(client: Client, username: str, password: str = PASSWORD) -> Answer:
    return client.post(SESSIONS, {"username": username, "password": password})


def _cookie(answer: Answer) -> Morsel[str]:
    [(name, morsel)] = SimpleCookie(answer.headers["Set-Cookie"]).items()
    assert re.fullmatch("forum_session_[0-9a-f]{8}", name)
    return morsel


def _claims(token: str) -> dict[str, object]:
    claims: dict[str, object] = jwt.decode(token, options={"verify_signature": False})
    return claims


def test_signing_in_opens_a_session_for_twelve_hours(anyone: Client, ada: Person) -> None:
    answer = _sign_in(anyone, ada.username)
    session = answer.expect(201)
    assert list(session) == ["token", "expires_at", "user"]
    assert session["user"] == anyone.get(ada.path).expect()
    left = datetime.fromisoformat(session["expires_at"]) - datetime.now(UTC)
    assert timedelta(hours=11, minutes=59) < left <= timedelta(hours=12)
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Location" not in answer.headers


def test_password_is_the_same_from_every_keyboard(anyone: Client, ada: Person) -> None:
    composed, decomposed = "caf\u00e9 \u1ec7 horse", "cafe\u0301 e\u0323\u0302 horse"
    change = {"current": PASSWORD, "new": decomposed}
    ada.client.put(f"{ME}/password", change).expect(200)
    for password in (composed, decomposed):
        _sign_in(anyone, ada.username, password).expect(201)
    _sign_in(anyone, ada.username, "cafe e horse").refused(401, WRONG)


def test_session_cookie_is_httponly_and_same_site(anyone: Client, ada: Person) -> None:
    answer = _sign_in(anyone, ada.username)
    morsel = _cookie(answer)
    assert morsel.value == answer.body["token"]
    assert morsel["httponly"] is True
    assert morsel["samesite"] == "Lax"
    assert morsel["path"] == "/"
    assert not morsel["domain"]
    assert not morsel["secure"], "plain HTTP was used"


def test_client_cannot_claim_to_use_https(anyone: Client, ada: Person) -> None:
    credentials = {"username": ada.username, "password": PASSWORD}
    headers = {"X-Forwarded-Proto": "https", "Forwarded": "proto=https"}
    answer = anyone.send("POST", SESSIONS, json=credentials, headers=headers)
    assert "Secure" not in answer.headers["Set-Cookie"]


def test_token_has_the_claims_of_its_user(ada: Person) -> None:
    claims = _claims(str(ada.client.token))
    assert claims["sub"] == ada.id
    assert claims["username"] == ada.username
    assert claims["name"] == ada.display_name
    assert claims["role"] == "member"
    assert claims["iss"] == "forum"
    assert {"ver", "iat", "exp", "jti"} <= claims.keys()


def test_public_keys_verify_a_token(anyone: Client, ada: Person) -> None:
    keys = anyone.get("/api/users/jwks.json").expect()
    assert all(key.keys() <= {"kty", "n", "e", "kid", "alg", "use"} for key in keys["keys"])
    # They are the deployment's, not the stage's; tests use new ones at each start.
    for key in keys["keys"]:
        anyone.transcript.alias(key["n"], "modulus")
        anyone.transcript.alias(key["kid"], "kid")
    token = str(ada.client.token)
    kid = jwt.get_unverified_header(token)["kid"]
    public = jwt.PyJWKSet.from_dict(keys)[kid]
    assert jwt.decode(token, public, algorithms=["RS256"])["sub"] == ada.id


def test_signing_in_takes_the_name_in_any_case_and_form(anyone: Client, ada: Person) -> None:
    assert _sign_in(anyone, ada.username.upper()).expect(201)["user"]["id"] == ada.id
    wide = ada.username.replace("ada", "ＡＤＡ")
    assert _sign_in(anyone, wide).expect(201)["user"]["id"] == ada.id


def test_wrong_name_and_wrong_password_get_the_same_response(
    anyone: Client, ada: Person, people: People
) -> None:
    wrong_password = _sign_in(anyone, ada.username, "not the password")
    wrong_name = _sign_in(anyone, people.name("nobody"))
    odd_name = _sign_in(anyone, "no such name!")
    assert wrong_password.refused(401, WRONG) == wrong_name.refused(401, WRONG)
    assert odd_name.refused(401, WRONG) == wrong_name.body
    assert "Set-Cookie" not in wrong_password.headers


def test_invalid_credentials_are_refused(anyone: Client) -> None:
    fine = {"username": "ada", "password": PASSWORD}
    odd_ones = [("username", odd) for odd in ("", "x" * 65, "nul\x00", None)]
    odd_ones += [("password", odd) for odd in ("", "x" * 129, "nul\x00", None)]
    for field, odd in odd_ones:
        anyone.post(SESSIONS, fine | {field: odd}).refused(400, "about:blank", field)
    anyone.post(SESSIONS, fine | {"remember": True}).refused(400, "about:blank", "remember")
    for field in fine:
        part = {name: value for name, value in fine.items() if name != field}
        anyone.post(SESSIONS, part).refused(400, "about:blank", field)


def test_idempotency_key_is_ignored_when_signing_in(anyone: Client, ada: Person) -> None:
    credentials = {"username": ada.username, "password": PASSWORD}
    key = f"key-{ada.username}"
    first = anyone.post(SESSIONS, credentials, key=key).expect(201)
    second = anyone.post(SESSIONS, credentials, key=key).expect(201)
    assert first["token"] != second["token"]
    anyone.post(SESSIONS, {**credentials, "password": "wrong password"}, key=key).refused(
        401, WRONG
    )


def test_cookie_works_like_the_token(anyone: Client, ada: Person) -> None:
    cookie = {"Cookie": "other=1; " + anyone.cookie(ada.client.token)["Cookie"]}
    assert anyone.get(ME, headers=cookie).expect()["id"] == ada.id
    assert anyone.get(ME, headers={"Authorization": f"bearer {ada.client.token}"}).expect()
    thread = anyone.send("POST", "/api/threads", json={"title": "By cookie"}, headers=cookie)
    assert thread.expect(201)["author"]["id"] == ada.id
    post = {"thread_id": thread.body["id"], "body": "By cookie"}
    assert anyone.send("POST", "/api/posts", json=post, headers=cookie).expect(201)


def test_token_takes_precedence_over_a_cookie(anyone: Client, ada: Person, ben: Person) -> None:
    headers = anyone.cookie(ben.client.token) | {"Authorization": f"Bearer {ada.client.token}"}
    assert anyone.get(ME, headers=headers).expect()["id"] == ada.id
    anyone.get(ME, headers=headers | {"Authorization": "Bearer nonsense"}).refused(401)


def test_signing_out_takes_the_cookie_away(ada: Person) -> None:
    answer = ada.client.delete(SESSIONS)
    answer.expect(204)
    morsel = _cookie(answer)
    assert morsel.value == ""
    assert morsel["path"] == "/"
    assert morsel["httponly"] is True
    assert morsel["max-age"] == "0"
    assert answer.headers["Cache-Control"] == "no-store"


def test_signing_out_needs_a_session(anyone: Client) -> None:
    answer = anyone.delete(SESSIONS)
    answer.refused(401)
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_new_password_continues_only_the_session_that_changed_it(
    ada: Person, anyone: Client
) -> None:
    other = sign_in(anyone, ada.username)
    old, thread = str(ada.client.token), open_thread(ada, "Before")
    passwords = {"current": PASSWORD, "new": "another password"}
    answer = ada.client.put(f"{ME}/password", passwords)
    new = answer.expect()["token"]
    assert _cookie(answer).value == new
    assert _claims(new)["jti"] == _claims(old)["jti"]
    _check_ended(ada, anyone, thread, {"the one before": old, "another": other})
    ada.client.token = new
    reply(ada, open_thread(ada, "With the new token"), "A post")
    ada.sign_in("another password")
    reply(ada, open_thread(ada, "In a new session"), "A post")


def test_signing_out_everywhere_ends_every_session(ada: Person, anyone: Client) -> None:
    tokens = {"this one": str(ada.client.token), "another": sign_in(anyone, ada.username)}
    thread = open_thread(ada, "Before")
    answer = ada.client.delete(f"{ME}/sessions")
    answer.expect(204)
    assert _cookie(answer).value == ""
    assert answer.headers["Cache-Control"] == "no-store"
    _check_ended(ada, anyone, thread, tokens)
    ada.client.delete(f"{ME}/sessions").refused(401)
    ada.sign_in()
    reply(ada, open_thread(ada, "In a new session"), "A post")


def _check_ended(
    ada: Person, anyone: Client, thread: dict[str, Any], tokens: dict[str, str]
) -> None:
    """Check that tokens become invalid in each component within five seconds."""
    with anyone.transcript.paused():
        deadline = time.monotonic() + 5
        for what, token in tokens.items():
            headers = {"Authorization": f"Bearer {token}"}
            for method, path, body in _closed(ada, thread["id"]):
                while anyone.send(method, path, json=body, headers=headers).status != 401:
                    assert time.monotonic() < deadline, f"{what} at {path}"
                    time.sleep(0.05)
            page = anyone.send("GET", "/", headers=anyone.cookie(token))
            while "Sign out" in page.content.decode():
                assert time.monotonic() < deadline, f"{what} on pages"
                time.sleep(0.05)
                page = anyone.send("GET", "/", headers=anyone.cookie(token))


def _signed(ada: Person) -> dict[str, str]:
    """Tokens that must not work though the forum's own key signed them."""
    token = str(ada.client.token)
    claims, kid = _claims(token), jwt.get_unverified_header(token)["kid"]
    key = (ada.client.forum.stack.config.secrets_folder / "session_private_key").read_text()
    now = int(datetime.now(UTC).timestamp())

    def sign(**changes: object) -> str:
        changed = {name: value for name, value in (claims | changes).items() if value is not None}
        return jwt.encode(changed, key, "RS256", headers={"kid": kid})

    return {
        "an hour ago": sign(iat=now - 13 * 3600, exp=now - 3600),
        "two minutes ago": sign(iat=now - 12 * 3600, exp=now - 120),
        "from tomorrow on": sign(nbf=now + 86_400),
        "another issuer": sign(iss="elsewhere"),
        "no issuer": sign(iss=None),
        "no end": sign(exp=None),
        "an odd end": sign(exp="never"),
        "nobody": sign(sub=None),
        "no session": sign(jti=None),
        "no role": sign(role=None),
        "nothing about a suspension": sign(suspended=None),
        "another algorithm": jwt.encode(claims, key, "RS512", headers={"kid": kid}),
    }


def _forgeries(ada: Person) -> dict[str, str]:
    """Tokens that must not work, made from one that does."""
    token = str(ada.client.token)
    header, payload, signature = token.split(".")
    kid = jwt.get_unverified_header(token)["kid"]
    claims = _claims(token)
    own = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def encoded(part: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()

    moderator = encoded(claims | {"role": "moderator"})
    return {
        "another key": jwt.encode(claims, own, "RS256", headers={"kid": kid}),
        "an unknown key": jwt.encode(claims, own, "RS256", headers={"kid": "unknown"}),
        "no key id": jwt.encode(claims, own, "RS256"),
        "no signature": f"{encoded({'alg': 'none', 'typ': 'JWT', 'kid': kid})}.{payload}.",
        "a shared secret": jwt.encode(claims, "s" * 40, "HS256", headers={"kid": kid}),
        "changed claims": f"{header}.{moderator}.{signature}",
        "a cut signature": f"{header}.{payload}.{signature[:-8]}",
        "an odd key id": f"{encoded({'alg': 'RS256', 'kid': ['x']})}.{payload}.{signature}",
        "no token at all": "nonsense",
        "two dots": "..",
        "an empty token": "",
        "a long one": "x" * 4000,
    }


def test_forged_and_expired_tokens_are_refused_everywhere(anyone: Client, ada: Person) -> None:
    for what, token in (_forgeries(ada) | _signed(ada)).items():
        headers = {"Authorization": f"Bearer {token}".rstrip()}
        for method, path, body in _closed(ada):
            answer = anyone.send(method, path, json=body, headers=headers)
            assert answer.status == 401, f"{what} at {path}: {answer.status}"


def test_forged_cookie_is_refused(anyone: Client, ada: Person) -> None:
    for token in ("nonsense", _forgeries(ada)["changed claims"]):
        anyone.get(ME, headers=anyone.cookie(token)).refused(401)


def test_another_kind_of_authorization_is_refused(anyone: Client, ada: Person) -> None:
    for odd in ("Basic YWRhOnBhc3N3b3Jk", "Bearer", "Token abc", "\u00e9", "Bearer\tx y"):
        for method, path, body in _closed(ada):
            anyone.send(method, path, json=body, headers={"Authorization": odd}).refused(401)


def _closed(ada: Person, thread_id: str = NOWHERE) -> list[tuple[str, str, object]]:
    """Name a request to each domain that needs a session."""
    return [
        ("GET", ME, None),
        ("PATCH", ada.path, {"bio": "changed"}),
        ("POST", "/api/threads", {"title": "A thread"}),
        ("POST", "/api/posts", {"thread_id": thread_id, "body": "A post"}),
    ]


def test_public_reads_ignore_missing_and_invalid_sessions(anyone: Client, ada: Person) -> None:
    headers = {"Authorization": "Bearer nonsense"} | anyone.cookie("nonsense")
    anyone.get(ada.path, headers=headers).expect()
    for path in ("/api/users", "/api/threads", "/api/posts"):
        anyone.get(path, headers=headers).expect()
