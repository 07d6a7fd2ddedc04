"""A few users and threads, and posts in them, in the monolith's database."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import insert

from chassis.clock import utc_now, uuid7
from chassis.markdown import render
from forum.commands.migrate import upgrade
from forum.database import make_engine
from forum.posts.models import PostRow
from forum.threads.models import ThreadRow
from forum.users.models import UserRow

_USERS, _THREADS = 2, 3


def create_forum(url: str, posts: int) -> None:
    """Create the database at `url`, with the given number of posts."""
    upgrade(url)
    users = [_user(number) for number in range(_USERS)]
    threads = [_thread(number, users[number % _USERS]) for number in range(_THREADS)]
    rows = [
        _post(number, threads[number % _THREADS], users[number % _USERS]) for number in range(posts)
    ]
    engine = make_engine(url)
    with engine.execution_options(writing=True).begin() as connection:
        for model, some in ((UserRow, users), (ThreadRow, threads), (PostRow, rows)):
            connection.execute(insert(model), some)
    engine.dispose()


def _user(number: int) -> Mapping[str, Any]:
    name = f"person-{number}"
    return {
        "id": uuid7(),
        "username": name,
        "username_key": name,
        "display_name": name,
        "role": "member",
        "suspended": False,
        "erased": False,
        "created_at": utc_now(),
        "version": 1,
    }


def _thread(number: int, author: Mapping[str, Any]) -> Mapping[str, Any]:
    now = utc_now()
    return {
        "id": uuid7(),
        "title": f"Thread {number}",
        "author_id": author["id"],
        "created_at": now,
        "last_activity_at": now,
        "post_count": 0,
        "locked": False,
        "deleted": False,
        "version": 1,
    }


def _post(number: int, thread: Mapping[str, Any], author: Mapping[str, Any]) -> Mapping[str, Any]:
    body = f"Post {number}, written before the move"
    return {
        "id": uuid7(),
        "thread_id": thread["id"],
        "author_id": author["id"],
        "body": body,
        "html": render(body),
        "created_at": utc_now(),
        "edited_at": None,
        "deleted": False,
        "version": 1,
    }
