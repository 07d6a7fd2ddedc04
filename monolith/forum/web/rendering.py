"""Rendering of templates, with the filters and globals that all of them use."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from flask import Flask, Response, g, make_response, render_template, url_for
from jinja2 import StrictUndefined

from chassis.clock import format_timestamp, parse_timestamp
from chassis.cookies import cookie_name
from forum.pagination import Listing
from forum.users.port import Identity
from forum.web.assets import Assets
from forum.web.context import PageContext
from forum.web.csrf import csrf_token
from forum.web.pages.theme import THEME, chosen_theme
from forum.web.served_by import badge

_STEPS = (
    (timedelta(days=365), "year"),
    (timedelta(days=30), "month"),
    (timedelta(days=1), "day"),
    (timedelta(hours=1), "hour"),
    (timedelta(minutes=1), "minute"),
)


def time_ago(at: datetime, now: datetime) -> str:
    """Return the time since `at` in its largest unit: `3 hours ago`."""
    past = now - at
    for step, unit in _STEPS:
        if past >= step:
            number = past // step
            return f"{number} {unit}{'' if number == 1 else 's'} ago"
    return "just now"


def render_page(template: str, code: int = 200, /, **context: Any) -> Response:
    """Render a page."""
    return make_response(render_template(template, **context), code)


def next_url(page: Listing[Any] | None, endpoint: str, **values: Any) -> str | None:
    """Return the URL of the next page; None at the end."""
    return url_for(endpoint, **values, cursor=page.next) if page and page.next else None


def install(app: Flask, context: PageContext) -> None:
    """Install the templates' filters and globals, and serve the static files."""
    assets = Assets()
    assets.install(app)

    filters: dict[str, Callable[..., str]] = app.jinja_env.filters
    filters["ago"] = lambda at: time_ago(_moment(at), context.clock())
    filters["stamp"] = lambda at: format_timestamp(_moment(at))
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    # An undefined variable in a template is a bug and raises an error.
    app.jinja_env.undefined = StrictUndefined
    app.jinja_env.globals.update(
        asset=assets.address,
        served_by=context.served_by,
        badge=(lambda domain: badge(domain, context.served_by)) if context.badge else lambda _: "",
        badges=context.badge,
    )

    @app.context_processor
    def _who() -> dict[str, Any]:
        identity: Identity | None = g.get("identity")
        here = {
            "notices": g.get("notices", []),
            "theme": chosen_theme(),
            "theme_cookie": cookie_name(THEME),
        }
        if identity is None:
            return here | {"viewer": None}
        viewer = {
            "id": identity.subject,
            "username": identity.claims.username,
            "display_name": g.get("viewer_name") or identity.claims.name,
            "role": identity.claims.role,
            "suspended": identity.claims.suspended,
        }
        return here | {"viewer": viewer, "csrf_token": csrf_token(context.secret, identity)}


def _moment(at: datetime | str) -> datetime:
    return at if isinstance(at, datetime) else parse_timestamp(at)
