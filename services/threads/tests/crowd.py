"""Many threads, written into the tables without the service."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from flask.testing import FlaskClient

from chassis.clock import uuid7
from tests.support.dynamo import Dynamo, evenly_sharded_id
from threads.dynamodb import items
from threads.dynamodb.postings import title_keys
from threads.dynamodb.tables import THREADS, USERS, WORDS
from threads.model import Thread
from threads.service import public_view

START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Author:
    """An author of some of the threads."""

    id: str
    display_name: str


@dataclass(frozen=True)
class Crowd:
    """A service with this number of threads; public views, oldest first."""

    client: FlaskClient
    count: int
    threads: list[dict[str, Any]]
    names: list[str]


def fill(dynamo: Dynamo, prefix: str, count: int) -> tuple[list[dict[str, Any]], list[str]]:
    """Write threads by seven authors into the tables; return the public views, and the names."""
    authors = [Author(uuid7(), f"Author {number}") for number in range(7)]
    threads = [_thread(number, count, authors[number % 7]) for number in range(count)]
    dynamo.fill(prefix + USERS.name, (_person(author) for author in authors))
    dynamo.fill(prefix + THREADS.name, (items.to_item(thread) for thread in threads))
    dynamo.fill(prefix + WORDS.name, _postings(threads))
    return [public_view(thread) for thread in threads], [author.display_name for author in authors]


def _thread(number: int, count: int, author: Author) -> Thread:
    words = {
        "Topic": True,
        "even": number % 2 == 0,
        "odd": number % 2 == 1,
        "third": number % 3 == 0,
        "seventh": number % 7 == 0,
        "rare": number % (count // 4) == 5,
    }
    # Some old threads are active again, and some moments saw two.
    active = number * 7919 % count // 2
    return Thread(
        id=evenly_sharded_id(number),
        title=" ".join(word for word, there in words.items() if there),
        author_id=author.id,
        author_name=author.display_name,
        created_at=START + timedelta(seconds=number),
        last_activity_at=START + timedelta(days=1, seconds=active),
        post_count=1,
        locked=False,
        version=1,
    )


def _person(author: Author) -> dict[str, Any]:
    return asdict(author) | {"version": 1, "role": "member", "suspended": False, "erased": False}


def _postings(threads: list[Thread]) -> Iterator[dict[str, str]]:
    for thread in threads:
        for key in title_keys(thread.title):
            yield {"word": key, "thread_id": thread.id}
