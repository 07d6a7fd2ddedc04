"""Bulk inserts that bypass the use cases, for tests of costs."""

from datetime import timedelta

from sqlalchemy import insert

from chassis.clock import utc_now, uuid7
from forum.database import Database
from forum.posts.models import PostRow
from forum.threads.models import ThreadRow, ThreadWord
from forum.users.models import UserRow


def fill(database: Database, count: int) -> str:
    """Add `count` threads by ten people, and `count` posts in one of them; return its id."""
    now = utc_now()
    people = [uuid7() for _ in range(10)]
    threads = [uuid7() for _ in range(count)]
    with database.writing() as session:
        session.execute(
            insert(UserRow),
            [
                {
                    "id": person,
                    "username": f"name-{number}",
                    "username_key": f"name-{number}",
                    "display_name": f"Name {number}",
                    "bio": "",
                    "created_at": now,
                }
                for number, person in enumerate(people)
            ],
        )
        session.execute(
            insert(ThreadRow),
            [
                {
                    "id": thread,
                    "title": f"Thread {number}",
                    "author_id": people[number % 10],
                    "created_at": now,
                    "last_activity_at": now + timedelta(milliseconds=number),
                    "post_count": 0,
                }
                for number, thread in enumerate(threads)
            ],
        )
        session.execute(
            insert(ThreadWord),
            [{"word": "thread", "thread_id": thread} for thread in threads],
        )
        session.execute(
            insert(PostRow),
            [
                {
                    "id": uuid7(),
                    "thread_id": threads[0],
                    "author_id": people[number % 10],
                    "body": "text",
                    "html": "<p>text</p>",
                    "created_at": now,
                }
                for number in range(count)
            ],
        )
    return threads[0]
