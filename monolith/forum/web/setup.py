"""The pages of the forum, the same at every stage of the split."""

from flask import Response, g, request
from flask_openapi3.openapi import OpenAPI

from chassis.http.app import is_api_request
from forum.web import csrf, errors, http_caching, notices, page_cache, rendering
from forum.web.context import PageContext
from forum.web.pages import site_files
from forum.web.pages.account import AccountPages
from forum.web.pages.api_docs import ApiDocs
from forum.web.pages.erasure_status import ErasureStatusPage
from forum.web.pages.post_forms import PostForms
from forum.web.pages.site_files import SiteFiles
from forum.web.pages.status import StatusPage
from forum.web.pages.theme import ThemeSwitch
from forum.web.pages.thread import ThreadPage
from forum.web.pages.thread_admin import ThreadAdmin
from forum.web.pages.thread_list import ThreadList
from forum.web.pages.users import UserPages

MAX_FORM = 256 * 1024  # bytes
_NO_PAGES = ("/static/", *site_files.PATHS, *errors.FOR_MACHINES)

# A page can be told to show one of these texts, and no other.
_NOTICES = {
    "profile": (notices.INFO, "Profile saved."),
    "password": (notices.INFO, "Password changed. You are signed out everywhere else."),
    "everywhere": (notices.INFO, "You are signed out everywhere."),
    "locked": (notices.INFO, "Thread locked."),
    "unlocked": (notices.INFO, "Thread unlocked."),
    "deleted": (notices.INFO, "Thread deleted."),
    "titled": (notices.INFO, "Title saved."),
    "moderated": (notices.INFO, "User updated."),
    "suspended": (notices.INFO, "User suspended."),
    "reinstated": (notices.INFO, "Suspension lifted."),
}


def install(app: OpenAPI, context: PageContext) -> None:
    """Add all pages to the application."""
    page_cache.install(app)
    rendering.install(app, context)
    errors.install(app)

    @app.before_request
    def _recognise() -> None:
        if not _is_page():
            return
        # A form encodes a letter in up to twelve characters, so the largest post needs more.
        request.max_content_length = request.max_form_memory_size = MAX_FORM
        identity = context.sessions.from_cookie()
        g.viewer_name = context.current_name(identity) if identity else None
        g.identity = identity if g.viewer_name is not None else None
        g.notices = []
        if notice := _NOTICES.get(request.args.get("done", "")):
            notices.add(*notice)
        if request.method == "POST" and request.url_rule is not None:
            csrf.reject_forged_form(context.secret, g.identity)

    @app.after_request
    def _protect(response: Response) -> Response:
        if page_cache.is_from_cache():
            return response
        # Below /static/, only errors are pages.
        if not _is_page() and (is_api_request() or response.status_code < 400):
            return response
        return http_caching.finish_response(csrf.add_security_headers(response))

    for pages in (
        ThreadList(context),
        ThreadPage(context),
        PostForms(context),
        ThreadAdmin(context),
        AccountPages(context),
        ErasureStatusPage(context),
        UserPages(context),
        StatusPage(context),
        ThemeSwitch(),
        SiteFiles(),
        ApiDocs(app),
    ):
        app.register_blueprint(pages.blueprint())


def _is_page() -> bool:
    return not request.path.startswith(_NO_PAGES) and not is_api_request()
