"""Posts and threads, written."""

from typing import Any

from flask import Blueprint, Response, redirect, url_for
from werkzeug.wrappers import Response as AnyResponse

from chassis.errors import Failure, Forbidden, Stale
from chassis.idempotency.keys import IdempotencyKey
from chassis.markdown import render
from forum.posts.schemas import NewPost, PostChange
from forum.threads.schemas import NewThread
from forum.web.context import Site
from forum.web.current_user import signed_in, viewer
from forum.web.forms import Form, version
from forum.web.pages.thread import place_of, thread_page
from forum.web.rendering import show

THREADS = "/api/threads"
POSTS = "/api/posts"
HTML = "text/html; charset=utf-8"
# They tell the page after a form that it was taken, so that the browser's draft of it can go.
POSTED, STARTED, REWRITTEN = "posted", "started", "rewritten"


def blueprint(site: Site) -> Blueprint:
    """Make the blueprint of the forms."""
    bp = Blueprint("writing", __name__)

    @bp.post("/threads/<id:thread_id>")
    def reply(thread_id: str) -> AnyResponse:
        """Reply in a thread."""
        identity = signed_in()
        form = Form.sent()
        if preview := _preview(form):
            return thread_page(site, thread_id, form, preview)
        new = form.parse(NewPost, thread_id=thread_id, body=form.values.get("body", ""))
        if new:
            payload = new.model_dump()
            try:
                made = site.posts.create(
                    identity, thread_id, new.body, _key(site, form, POSTS, payload)
                )
            except Failure as failure:
                form.refuse(failure, frozenset({"body"}))
            else:
                return redirect(place_of(thread_id, made["id"], POSTED), 303)
        return thread_page(site, thread_id, form)

    @bp.get("/threads/new")
    def thread_form() -> AnyResponse:
        """Show the form of a new thread."""
        if viewer() is None:
            return redirect(url_for("account.sign_in", next=url_for(".thread_form")), 303)
        return show("thread_new.html", form=Form({"idempotency_key": site.new_id()}))

    @bp.post("/threads/new")
    def new_thread() -> AnyResponse:
        """Begin a thread with its first post: two writes, either of which can be repeated."""
        identity = signed_in()
        form = Form.sent()
        if preview := _preview(form):
            return show("thread_new.html", form=form, preview=preview)
        title = form.parse(NewThread, title=form.values.get("title", ""))
        post = form.parse(NewPost, thread_id="to-be", body=form.values.get("body", ""))
        if title and post:
            try:
                thread_id = form.values.get("thread_id", "")
                if not thread_id:
                    key = _key(site, form, THREADS, title.model_dump())
                    thread_id = site.threads.create(identity, title.title, key)["id"]
                    form.values["thread_id"] = thread_id
                first = form.parse(NewPost, thread_id=thread_id, body=post.body)
                if first:
                    key = _key(site, form, POSTS, first.model_dump())
                    made = site.posts.create(identity, thread_id, first.body, key)
                    return redirect(place_of(thread_id, made["id"], STARTED), 303)
            except Failure as failure:
                form.refuse(failure, frozenset({"title", "body"}))
        form.values.setdefault("idempotency_key", site.new_id())
        return show("thread_new.html", form.status, form=form)

    @bp.get("/posts/<id:post_id>/edit")
    def edit_form(post_id: str) -> AnyResponse:
        """Show the form that rewrites one's own post."""
        identity = signed_in()
        post = site.posts.get(post_id)
        if post.author.id != identity.subject or post.deleted:
            detail = "Only the author may rewrite this post."
            raise Forbidden(detail)
        form = Form({"body": post.body, "etag": str(post.version)})
        return show("post_edit.html", post=post, form=form)

    @bp.post("/posts/<id:post_id>/edit")
    def edit(post_id: str) -> AnyResponse:
        """Rewrite one's own post, unless it was changed since the form was opened."""
        identity = signed_in()
        form = Form.sent()
        if preview := _preview(form):
            post = site.posts.get(post_id)
            return show("post_edit.html", post=post, form=form, preview=preview)
        current = None
        change = form.parse(PostChange, body=form.values.get("body", ""))
        if change:
            expected = version(form.values.get("etag", ""))
            try:
                post = site.posts.change(identity, post_id, change.body, expected)
                return redirect(place_of(post.thread_id, post.id, REWRITTEN), 303)
            except Stale as failure:
                form.refuse(failure)
                current = site.posts.get(post_id)
                form.values["etag"] = str(current.version)
            except Failure as failure:
                form.refuse(failure, frozenset({"body"}))
        return show(
            "post_edit.html",
            form.status,
            post=current or site.posts.get(post_id),
            form=form,
            current_body=current.body if current else None,
        )

    @bp.post("/posts/<id:post_id>/delete")
    def delete_post(post_id: str) -> AnyResponse:
        """Take a post's words away."""
        identity = signed_in()
        post = site.posts.get(post_id)
        site.posts.delete(identity, post_id, None)
        return redirect(place_of(post.thread_id, post_id), 303)

    @bp.post("/preview")
    def preview() -> AnyResponse:
        """Give what a text would look like, for scripts that show it beside its form."""
        signed_in()
        return Response(render(Form.sent().values.get("body", "")), content_type=HTML)

    return bp


def _preview(form: Form) -> str | None:
    """Render the text of a form that was sent to be looked at first; None if it was not."""
    if form.values.pop("preview", None) is None:
        return None
    return render(form.values.get("body", "")) or " "


def _key(site: Site, form: Form, path: str, payload: dict[str, Any]) -> IdempotencyKey | None:
    text = form.values.get("idempotency_key") or None
    return site.fingerprints.key(text, owner=signed_in().subject, path=path, payload=payload)
