"""HTTP API of users: each handler parses the request, calls a use case and serializes."""

import json
from typing import Any

from flask import Response, request
from flask_openapi3.blueprint import APIBlueprint

from chassis.auth.sessions import Sessions, clear_session_cookie, set_session_cookie
from chassis.clock import format_timestamp
from chassis.errors import FieldError, Invalid
from chassis.http.openapi import SECURITY, build_document, describe_responses, document_response
from chassis.http.requests import changed_fields, read_idempotency_key, read_precondition
from chassis.http.responses import json_response, public_json_response
from chassis.http.routing import add_routes, delete, get, patch, post, put
from chassis.idempotency.keys import IdempotencyKeys
from forum.users.port import Registration, Session, SessionClaims
from forum.users.rules import newcomer, username_key
from forum.users.schemas import (
    Credentials,
    ErasingOut,
    ErasureOut,
    NewPassword,
    NewUser,
    PasswordConfirmation,
    SessionOut,
    UserChange,
    UserOut,
    UserPath,
    UsersOut,
    UsersQuery,
)
from forum.users.state import User
from forum.users.store import SqlUsers

DESCRIPTION = "Accounts, sessions and profiles."


class UsersApi:
    """The handlers of `/api/users`."""

    def __init__(
        self,
        users: SqlUsers,
        sessions: Sessions[SessionClaims],
        idempotency_keys: IdempotencyKeys,
        public_keys: str,
    ) -> None:
        self._users = users
        self._sessions = sessions
        self._idempotency_keys = idempotency_keys
        self._public_keys = public_keys
        self._document: dict[str, Any] = {}

    def blueprint(self) -> APIBlueprint:
        """Build the blueprint, with its OpenAPI document."""
        blueprint = APIBlueprint("users", __name__, url_prefix="/api/users")
        add_routes(blueprint, self)
        self._document = build_document(
            blueprint,
            "Users",
            DESCRIPTION,
            UserChange,
            UserOut,
            UsersOut,
            SessionOut,
            ErasingOut,
            ErasureOut,
        )
        return blueprint

    @post(
        "",
        operation_id="register",
        responses=describe_responses(
            201, UserOut, 400, 409, 413, 415, 422, 429, 503, headers=("ETag", "Location")
        ),
    )
    def register(self, body: NewUser) -> Response:
        """Open an account.

        No session is opened; sign in with the new username and password. A username is
        taken if another account has it in any case or form.
        """
        new = Registration(body.username, body.display_name, body.password)
        owner = newcomer(username_key(body.username))
        key = read_idempotency_key(self._idempotency_keys, owner, body.model_dump())
        view = self._users.register(new, request.remote_addr or "", key)
        return _user_response(UserOut(**view), view["version"], status=201)

    @get("", operation_id="listUsers", responses=describe_responses(200, UsersOut, 400, 503))
    def list_users(self, query: UsersQuery) -> Response:
        """List people, newest first, or those with the given ids.

        With `ids`, unknown ones are left out, and there is no further page.
        """
        if query.ids:
            if query.model_fields_set - {"ids"}:
                raise Invalid(FieldError("ids", "cannot be combined with limit or cursor"))
            return json_response(
                UsersOut(items=_out(self._users.get_many(query.ids.split(","))), next=None)
            )
        page = self._users.newest(query.limit, query.cursor)
        return json_response(UsersOut(items=_out(page.items), next=page.next))

    @post(
        "/sessions",
        operation_id="signIn",
        responses=describe_responses(
            201, SessionOut, 400, 401, 413, 415, 429, 503, headers=("Set-Cookie",)
        ),
    )
    def sign_in(self, body: Credentials) -> Response:
        """Open a session: a token for 12 hours, also set as a cookie.

        Send the token as `Authorization: Bearer`. Only a limited number of attempts per
        username and address is possible in a while.
        """
        session = self._users.sign_in(body.username, body.password, request.remote_addr or "")
        return _session_response(session, status=201)

    @delete(
        "/sessions",
        operation_id="signOut",
        security=SECURITY,
        responses=describe_responses(204, None, 401, headers=("Set-Cookie",)),
    )
    def sign_out(self) -> Response:
        """Remove the session's cookie.

        The token itself stays valid until it expires; end all sessions to revoke it.
        """
        self._sessions.require()
        answer = json_response(None, 204, private=True)
        clear_session_cookie(answer)
        return answer

    @get(
        "/me",
        operation_id="getMe",
        security=SECURITY,
        responses=describe_responses(200, UserOut, 401, 503),
    )
    def get_me(self) -> Response:
        """Read one's own account.

        The same content as in the public profile.
        """
        user = self._users.me(self._sessions.require())
        return json_response(UserOut(**user.public_view()), version=user.version, private=True)

    @put(
        "/me/password",
        operation_id="changePassword",
        security=SECURITY,
        responses=describe_responses(
            200, SessionOut, 400, 401, 403, 413, 415, 429, 503, headers=("Set-Cookie",)
        ),
    )
    def change_password(self, body: NewPassword) -> Response:
        """Replace one's password; all sessions end, and this one continues with a new token.

        Use the new token from then on; other devices have to sign in again.
        """
        identity = self._sessions.require()
        return _session_response(self._users.change_password(identity, body.current, body.new))

    @delete(
        "/me/sessions",
        operation_id="signOutEverywhere",
        security=SECURITY,
        responses=describe_responses(204, None, 401, 503, headers=("Set-Cookie",)),
    )
    def sign_out_everywhere(self) -> Response:
        """End all of one's sessions, this one too.

        Their tokens are refused from then on, by each part of the forum within seconds.
        """
        self._users.sign_out_everywhere(self._sessions.require())
        answer = json_response(None, 204, private=True)
        clear_session_cookie(answer)
        return answer

    @get("/jwks.json", doc_ui=False)
    def jwks(self) -> Response:
        """Return the public keys that verify sessions."""
        return public_json_response(json.loads(self._public_keys))

    @get("/openapi.json", doc_ui=False)
    def openapi(self) -> Response:
        """Return the OpenAPI document of this API."""
        return document_response(self._document)

    @get(
        "/<id:user_id>",
        operation_id="getUser",
        responses=describe_responses(200, UserOut, 404, 503),
    )
    def get_user(self, path: UserPath) -> Response:
        """Read a person.

        Anybody may read a profile.
        """
        user = self._users.get(path.user_id)
        return _user_response(UserOut(**user.public_view()), user.version)

    @patch(
        "/<id:user_id>",
        operation_id="changeUser",
        security=SECURITY,
        responses=describe_responses(
            200, UserOut, 400, 401, 403, 404, 409, 412, 413, 415, 429, 503, headers=("ETag",)
        ),
    )
    def change_user(self, path: UserPath, body: UserChange) -> Response:
        """Change a person: the profile by themselves, role and suspension by a moderator.

        A moderator confirms a change of a role with their own password.
        """
        identity, changes = self._sessions.require(), changed_fields(body)
        password = changes.pop("password", "")
        user = self._users.change(identity, path.user_id, changes, read_precondition(), password)
        return _user_response(UserOut(**user.public_view()), user.version)

    @delete(
        "/<id:user_id>",
        operation_id="eraseUser",
        security=SECURITY,
        responses=describe_responses(
            202, ErasingOut, 400, 401, 403, 404, 409, 412, 413, 415, 429, 503, headers=("Location",)
        ),
    )
    def erase_user(self, path: UserPath, body: PasswordConfirmation) -> Response:
        """Erase one's own account, confirmed with the password, and free its username.

        It takes a while until the name is gone everywhere; `Location` is where to read the
        progress. Posts stay, without the author's name.
        """
        identity = self._sessions.require()
        self._users.erase(identity, path.user_id, body.password, read_precondition())
        return json_response(
            ErasingOut(id=path.user_id, status="erasing"),
            202,
            location=f"/api/users/{path.user_id}/erasure",
            private=True,
        )

    @get(
        "/<id:user_id>/erasure",
        operation_id="getErasure",
        responses=describe_responses(200, ErasureOut, 404, 503),
    )
    def get_erasure(self, path: UserPath) -> Response:
        """Read the progress of an account's erasure.

        Anybody who knows the id may ask, since nobody can sign in to the account any more.
        """
        return json_response(ErasureOut(**self._users.erasure(path.user_id).public_view()))


def _out(users: list[User]) -> list[UserOut]:
    return [UserOut(**user.public_view()) for user in users]


def _session_response(session: Session, status: int = 200) -> Response:
    answer = json_response(
        SessionOut(
            token=session.token,
            expires_at=format_timestamp(session.expires_at),
            user=UserOut(**session.user.public_view()),
        ),
        status,
        private=True,
    )
    set_session_cookie(answer, session.token, session.expires_at)
    return answer


def _user_response(user: UserOut, version: int, status: int = 200) -> Response:
    location = f"/api/users/{user.id}" if status == 201 else None
    return json_response(user, status, version=version, location=location)
