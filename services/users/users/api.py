"""The API of users: parse, call the use case, serialise."""

import json

from flask import Response, request
from flask_openapi3.blueprint import APIBlueprint

from chassis.clock import format_timestamp
from chassis.http import api
from chassis.http.openapi import SECURITY, build_document, describe_responses
from chassis.idempotency.keys import IdempotencyKeys
from chassis.pagination import Cursors
from users.model import User, username_key
from users.schemas import (
    Credentials,
    ErasingOut,
    ErasureOut,
    NewPassword,
    NewUser,
    SessionOut,
    UserChange,
    UserOut,
    UserPath,
    UsersOut,
    UsersQuery,
)
from users.service import Registration, Users, erasure_view, public_view, reject_ids_with_paging

LISTING = "users"


def blueprint(
    users: Users,
    sessions: api.Sessions,
    cursors: Cursors,
    fingerprints: IdempotencyKeys,
    public_keys: str,
) -> APIBlueprint:
    """Make the blueprint of `/api/users`."""
    bp = APIBlueprint("users", __name__, url_prefix="/api/users")

    @bp.post(
        "",
        operation_id="register",
        responses=describe_responses(
            201, UserOut, 400, 409, 413, 415, 422, 503, headers=("ETag", "Location")
        ),
    )
    def register(body: NewUser) -> Response:
        """Open an account."""
        new = Registration(body.username, body.display_name, body.password)
        # Nobody is signed in yet: two strangers who choose the same key must not meet.
        owner = f"newcomer {username_key(body.username)}"
        key = api.read_idempotency_key(fingerprints, owner, body.model_dump())
        made = users.register(new, key)
        return _user(UserOut(**made), made["version"], status=201)

    @bp.get("", operation_id="listUsers", responses=describe_responses(200, UsersOut, 400, 503))
    def list_users(query: UsersQuery) -> Response:
        """List people, newest first, or those with the given ids."""
        if query.ids:
            reject_ids_with_paging(bool(query.model_fields_set - {"ids"}))
            return api.json_response(
                UsersOut(items=_out(users.get_many(query.ids.split(","))), next=None)
            )
        page = users.newest(query.limit, cursors.decode(LISTING, query.cursor))
        return api.json_response(
            UsersOut(items=_out(page.items), next=cursors.encode(LISTING, page.next))
        )

    @bp.post(
        "/sessions",
        operation_id="signIn",
        responses=describe_responses(
            201, SessionOut, 400, 401, 413, 415, 429, 503, headers=("Set-Cookie",)
        ),
    )
    def sign_in(body: Credentials) -> Response:
        """Open a session: a token for 12 hours, also set as a cookie."""
        session = users.sign_in(body.username, body.password, request.remote_addr or "")
        answer = api.json_response(
            SessionOut(
                token=session.token,
                expires_at=format_timestamp(session.expires_at),
                user=UserOut(**public_view(session.user)),
            ),
            201,
            private=True,
        )
        api.set_session_cookie(answer, session.token, session.expires_at)
        return answer

    @bp.delete(
        "/sessions",
        operation_id="signOut",
        security=SECURITY,
        responses=describe_responses(204, None, 401, headers=("Set-Cookie",)),
    )
    def sign_out() -> Response:
        """Take the session's cookie away."""
        sessions.require()
        answer = api.json_response(None, 204, private=True)
        api.clear_session_cookie(answer)
        return answer

    @bp.get(
        "/me",
        operation_id="getMe",
        security=SECURITY,
        responses=describe_responses(200, UserOut, 401, 503, headers=("ETag",)),
    )
    def get_me() -> Response:
        """Read one's own account."""
        user = users.me(sessions.require())
        return api.json_response(UserOut(**public_view(user)), version=user.version, private=True)

    @bp.put(
        "/me/password",
        operation_id="changePassword",
        security=SECURITY,
        responses=describe_responses(204, None, 400, 401, 403, 413, 415, 429, 503),
    )
    def change_password(body: NewPassword) -> Response:
        """Replace one's password."""
        users.change_password(sessions.require(), body.current, body.new)
        return api.json_response(None, 204, private=True)

    @bp.get("/jwks.json", doc_ui=False)
    def jwks() -> Response:
        """Give the public keys that verify sessions."""
        return api.public_json_response(json.loads(public_keys))

    @bp.get("/openapi.json", doc_ui=False)
    def openapi() -> Response:
        """Give the OpenAPI document of this API."""
        return api.public_json_response(document)

    @bp.get(
        "/<id:user_id>",
        operation_id="getUser",
        responses=describe_responses(200, UserOut, 404, 503, headers=("ETag",)),
    )
    def get_user(path: UserPath) -> Response:
        """Read a person."""
        user = users.get(path.user_id)
        return _user(UserOut(**public_view(user)), user.version)

    @bp.patch(
        "/<id:user_id>",
        operation_id="changeUser",
        security=SECURITY,
        responses=describe_responses(
            200, UserOut, 400, 401, 403, 404, 409, 412, 413, 415, 503, headers=("ETag",)
        ),
    )
    def change_user(path: UserPath, body: UserChange) -> Response:
        """Change a person: the profile by themselves, role and suspension by a moderator."""
        identity = sessions.require()
        user = users.change(
            identity, path.user_id, api.changed_fields(body), api.read_precondition()
        )
        return _user(UserOut(**public_view(user)), user.version)

    @bp.delete(
        "/<id:user_id>",
        operation_id="eraseUser",
        security=SECURITY,
        responses=describe_responses(
            202, ErasingOut, 401, 403, 404, 409, 412, 503, headers=("Location",)
        ),
    )
    def erase_user(path: UserPath) -> Response:
        """Erase one's own account and free its username."""
        users.erase(sessions.require(), path.user_id, api.read_precondition())
        return api.json_response(
            ErasingOut(id=path.user_id, status="erasing"),
            202,
            location=f"/api/users/{path.user_id}/erasure",
            private=True,
        )

    @bp.get(
        "/<id:user_id>/erasure",
        operation_id="getErasure",
        responses=describe_responses(200, ErasureOut, 404, 503),
    )
    def get_erasure(path: UserPath) -> Response:
        """Read how far the erasure of an account is."""
        return api.json_response(ErasureOut(**erasure_view(users.erasure(path.user_id))))

    document = build_document(bp, "Users", UserOut, UsersOut, SessionOut, ErasingOut, ErasureOut)
    return bp


def _out(users: list[User]) -> list[UserOut]:
    return [UserOut(**public_view(user)) for user in users]


def _user(user: UserOut, version: int, status: int = 200) -> Response:
    location = f"/api/users/{user.id}" if status == 201 else None
    return api.json_response(user, status, version=version, location=location)
