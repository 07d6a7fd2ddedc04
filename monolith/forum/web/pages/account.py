"""Pages of one's own account: registration, sign-in, profile, password and deletion."""

from flask import Blueprint, g, make_response, redirect, request, url_for
from werkzeug.wrappers import Response

from chassis.auth.sessions import clear_session_cookie, set_session_cookie
from chassis.errors import (
    Conflict,
    Failure,
    PreconditionFailed,
    RateLimited,
    Unauthenticated,
)
from chassis.http.routing import add_routes, get, post
from forum.users.port import Registration
from forum.users.schemas import (
    Credentials,
    NewPassword,
    NewUser,
    PasswordConfirmation,
    UserChange,
)
from forum.users.state import User
from forum.web import pending_form
from forum.web.context import PageContext
from forum.web.csrf import local_path
from forum.web.current_user import current_user, require_user
from forum.web.forms import Form, parse_version
from forum.web.rendering import render_page

WRONG = "The username or password is incorrect."


class AccountPages:
    """The pages of one's own account."""

    def __init__(self, context: PageContext) -> None:
        self._context = context

    def blueprint(self) -> Blueprint:
        """Build the blueprint."""
        blueprint = Blueprint("account", __name__)
        add_routes(blueprint, self)
        return blueprint

    def _enter(self, username: str, password: str, form: Form) -> Response:
        session = self._context.users.sign_in(username, password, request.remote_addr or "")
        g.viewer_name = session.user.display_name
        response = make_response(redirect(local_path(form.values.get("next", "/")), 303))
        if waiting := pending_form.from_values(form.values.get(pending_form.PATH, ""), form.values):
            # The session had ended while they wrote: the text is still here, to be sent.
            g.identity = self._context.sessions.from_token(session.token)
            response = render_page("resume.html", kept=waiting)
        set_session_cookie(response, session.token, session.expires_at)
        return response

    @get("/register")
    def register_form(self) -> Response:
        """Show the form that opens an account."""
        return render_page(
            "register.html", form=Form({"next": local_path(request.args.get("next", "/"))})
        )

    @post("/register")
    def register(self) -> Response:
        """Open an account and sign in."""
        form = Form.from_request()
        typed: dict[str, str] = {
            name: form.values[name] for name in ("username", "password") if name in form.values
        }
        if form.values.get("display_name", "").strip():
            typed["display_name"] = form.values["display_name"]
        new = form.parse(NewUser, **typed)
        if new:
            try:
                self._context.users.register(
                    Registration(new.username, new.display_name, new.password),
                    request.remote_addr or "",
                )
                return self._enter(new.username, new.password, form)
            except Conflict as failure:
                # A second click on the button: the account already exists.
                try:
                    return self._enter(new.username, new.password, form)
                except (Unauthenticated, RateLimited):
                    form.status, form.errors["username"] = failure.status, failure.detail
            except Failure as failure:
                form.add_failure(failure, frozenset(NewUser.model_fields))
        return render_page("register.html", form.status, form=form)

    def _sign_in_page(self, form: Form) -> Response:
        waiting = pending_form.from_values(form.values.get(pending_form.PATH, ""), form.values)
        return render_page("sign_in.html", form.status, form=form, kept=waiting)

    @get("/sign-in")
    def sign_in(self) -> Response:
        """Show the form that opens a session."""
        return self._sign_in_page(Form({"next": local_path(request.args.get("next", "/"))}))

    @post("/sign-in")
    def open_session(self) -> Response:
        """Open a session."""
        form = Form.from_request()
        typed = form.parse(
            Credentials,
            username=form.values.get("username", "").strip(),
            password=form.values.get("password", ""),
        )
        if typed:
            try:
                return self._enter(typed.username, typed.password, form)
            except Failure as failure:
                form.add_failure(failure)
                response = self._sign_in_page(form)
                if isinstance(failure, RateLimited):
                    response.headers["Retry-After"] = str(failure.retry_after)
                return response
        return self._sign_in_page(form)

    @post("/sign-out")
    def sign_out(self) -> Response:
        """End the session in this browser."""
        return _signed_out(url_for("thread_list.index"))

    def _account_page(
        self, user: User, form: Form | None = None, *, conflict: bool = False
    ) -> Response:
        form = form or Form()
        # At its owner, the name is as new as the change that was just made.
        g.viewer_name = user.display_name
        form.values.setdefault("display_name", user.display_name)
        form.values.setdefault("bio", user.bio)
        form.values.setdefault("etag", str(user.version))
        return render_page("me.html", form.status, form=form, current=user if conflict else None)

    @get("/me")
    def me(self) -> Response:
        """Show one's own account."""
        identity = current_user()
        if identity is None:
            return redirect(url_for(".sign_in", next=url_for(".me")), 303)
        return self._account_page(self._context.users.me(identity))

    @post("/me")
    def change_me(self) -> Response:
        """Change one's profile or password, end all sessions, or erase the account."""
        identity = require_user()
        form = Form.from_request()
        action = form.values.get("action")
        try:
            if action == "profile":
                change = form.parse(
                    UserChange,
                    display_name=form.values.get("display_name", ""),
                    bio=form.values.get("bio", ""),
                )
                if change:
                    changes = change.model_dump(exclude_unset=True)
                    expected = parse_version(form.values.get("etag", ""))
                    self._context.users.change(identity, identity.subject, changes, expected)
                    return redirect(url_for(".me", done="profile"), 303)
            elif action == "password":
                words = form.parse(
                    NewPassword,
                    current=form.values.get("current", ""),
                    new=form.values.get("new", ""),
                )
                if words:
                    session = self._context.users.change_password(
                        identity, words.current, words.new
                    )
                    response = make_response(redirect(url_for(".me", done="password"), 303))
                    set_session_cookie(response, session.token, session.expires_at)
                    return response
            elif action == "everywhere":
                self._context.users.sign_out_everywhere(identity)
                return _signed_out(url_for("thread_list.index", done="everywhere"))
            elif form.values.get("confirm") != "yes":
                form.status, form.errors["confirm"] = 400, "Select the checkbox to confirm."
            elif given := form.parse(
                PasswordConfirmation, password=form.values.get("password", "")
            ):
                self._context.users.erase(identity, identity.subject, given.password, None)
                return _signed_out(url_for("erasure_status.progress", user_id=identity.subject))
        except PreconditionFailed as failure:
            user = self._context.users.me(identity)
            form.add_conflict(failure, user.version)
            return self._account_page(user, form, conflict=True)
        except Failure as failure:
            form.add_failure(failure, frozenset({"display_name", "bio", "current", "new"}))
        return self._account_page(self._context.users.me(identity), form)


def _signed_out(target: str) -> Response:
    response = make_response(redirect(target, 303))
    clear_session_cookie(response)
    g.identity = None
    return response
