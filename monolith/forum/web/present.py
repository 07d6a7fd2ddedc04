"""How pages say things: times, assets, and the answer that a template makes."""

import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from flask import Flask, Response, g, make_response, render_template, send_from_directory, url_for
from jinja2 import StrictUndefined
from werkzeug.exceptions import NotFound

from chassis.clock import moment, stamp
from chassis.tokens import Identity
from forum.listing import Listing
from forum.web.guard import csrf_token
from forum.web.site import Site

HERE = Path(__file__).parent
STATIC = HERE / "static"
FOREVER = "public, max-age=31536000, immutable"
_STEPS = (
    (timedelta(days=365), "year"),
    (timedelta(days=30), "month"),
    (timedelta(days=1), "day"),
    (timedelta(hours=1), "hour"),
    (timedelta(minutes=1), "minute"),
)


def ago(at: datetime, now: datetime) -> str:
    """Say how long ago something was, in its largest unit: `3 hours ago`."""
    past = now - at
    for step, unit in _STEPS:
        if past >= step:
            number = past // step
            return f"{number} {unit}{'' if number == 1 else 's'} ago"
    return "just now"


def show(template: str, code: int = 200, /, **context: Any) -> Response:
    """Make a page."""
    return make_response(render_template(template, **context), code)


def next_url(page: Listing[Any] | None, endpoint: str, **values: Any) -> str | None:
    """Give the address of the page that follows; None at the end."""
    return url_for(endpoint, **values, cursor=page.next) if page and page.next else None


def install(app: Flask, site: Site) -> None:
    """Give templates what they all use, and serve the static files."""
    prints = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()[:12]
        for path in STATIC.iterdir()
        if path.is_file()
    }

    # flask-openapi3 reads a view's arguments from models; `route` of a plain Flask does not.
    @app.route("/static/<fingerprint>/<name>")
    def static_file(fingerprint: str, name: str) -> Response:
        """Serve a static file under a name that changes with its content, so for ever."""
        if prints.get(name) != fingerprint:
            raise NotFound
        response = send_from_directory(STATIC, name)
        response.headers["Cache-Control"] = FOREVER
        return response

    def asset(name: str) -> str:
        return f"/static/{prints[name]}/{name}"

    filters: dict[str, Callable[..., str]] = app.jinja_env.filters
    filters["ago"] = lambda at: ago(_moment(at), site.clock())
    filters["stamp"] = lambda at: stamp(_moment(at))
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    # A page that uses what its view did not give is a bug to show, not a gap to hide.
    app.jinja_env.undefined = StrictUndefined
    app.jinja_env.globals.update(asset=asset, served_by=site.served_by)

    @app.context_processor
    def _who() -> dict[str, Any]:
        identity: Identity | None = g.get("identity")
        if identity is None:
            return {"viewer": None, "notices": g.get("notices", [])}
        viewer = {
            "id": identity.subject,
            "username": identity.username,
            "display_name": identity.name,
            "role": identity.role,
        }
        return {
            "viewer": viewer,
            "csrf_token": csrf_token(site.secret, identity),
            "notices": g.get("notices", []),
        }


def _moment(at: datetime | str) -> datetime:
    return at if isinstance(at, datetime) else moment(at)
