"""Load the content into the monolith's database, bypassing its API."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from sqlalchemy import Engine, insert

from bench.data.content import Content, Person, Text, Topic
from chassis.auth.passwords import hash_password
from chassis.words import beginnings
from forum.database import Base
from forum.posts.models import PostRow
from forum.threads.models import ThreadRow, ThreadWord
from forum.users.models import Credential, UserRow
from forum.users.rules import username_key

PASSWORD = "a password of the bench"  # noqa: S105 - of generated people
_ROWS = 2000  # per transaction

ReportProgress = Callable[[int], None]
"""Called with the number of people, threads and posts written since the last call."""
Row = Mapping[str, Any]


def into_sql(
    engine: Engine, content: Content, progress: ReportProgress, *, credentials: bool
) -> None:
    """Fill the database, as the monolith's own data or as its replica of the services' data."""
    _insert(engine, UserRow, map(_user, content.people), progress)
    if credentials:
        kept = hash_password(PASSWORD)
        rows = ({"user_id": one.id, "password_hash": kept} for one in content.people)
        _insert(engine, Credential, rows)
    _insert(engine, ThreadRow, map(_thread, content.topics), progress)
    _insert(engine, ThreadWord, _words(content))
    _insert(engine, PostRow, map(_post, content.texts()), progress)


def _insert(
    engine: Engine,
    model: type[Base],
    rows: Iterable[Row],
    progress: ReportProgress = lambda _: None,
) -> None:
    left = iter(rows)
    writing = engine.execution_options(writing=True)
    while some := list(islice(left, _ROWS)):
        with writing.begin() as connection:
            connection.execute(insert(model), some)
        progress(len(some))


def _user(person: Person) -> Row:
    return {
        "id": person.id,
        "username": person.username,
        "username_key": username_key(person.username),
        "display_name": person.display_name,
        "role": "member",
        "suspended": False,
        "erased": False,
        "created_at": person.at,
        "version": 1,
    }


def _thread(topic: Topic) -> Row:
    return {
        "id": topic.id,
        "title": topic.title,
        "author_id": topic.author.id,
        "created_at": topic.at,
        "last_activity_at": topic.active,
        "post_count": topic.posts,
        "locked": False,
        "deleted": False,
        "version": 1,
    }


def _words(content: Content) -> Iterator[Row]:
    for topic in content.topics:
        for beginning in beginnings(topic.title):
            yield {"word": beginning, "thread_id": topic.id}


def _post(text: Text) -> Row:
    return {
        "id": text.id,
        "thread_id": text.topic.id,
        "author_id": text.author.id,
        "body": text.body,
        "html": text.html,
        "created_at": text.at,
        "edited_at": None,
        "deleted": False,
        "version": 1,
    }
