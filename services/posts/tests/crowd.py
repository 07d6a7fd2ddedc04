"""A thread with many posts, written into the tables without the service."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from flask.testing import FlaskClient

from chassis.clock import uuid7
from chassis.markdown import render
from posts.dynamodb import items
from posts.dynamodb.tables import LOCATIONS, POSTS, THREADS, USERS
from posts.model import Post
from posts.service import public_view
from tests.support.dynamo import Dynamo, evenly_sharded_id

START = datetime(2026, 1, 1, tzinfo=UTC)
BODY = "What the *load balancer* sees is a path, and what the path says is `/api/posts`. " * 4


@dataclass(frozen=True)
class Author:
    """An author of some of the posts."""

    id: str
    display_name: str


@dataclass(frozen=True)
class Crowd:
    """A service with this number of posts in one thread; public views, oldest first."""

    client: FlaskClient
    thread_id: str
    posts: list[dict[str, Any]]
    authors: list[Author]


def fill(
    dynamo: Dynamo, prefix: str, thread_id: str, count: int
) -> tuple[list[Post], list[Author]]:
    """Put posts by seven authors into the tables."""
    authors = [Author(uuid7(), f"Author {number}") for number in range(7)]
    html = render(BODY)
    posts = [
        Post(
            id=evenly_sharded_id(number),
            thread_id=thread_id,
            author_id=authors[number % 7].id,
            author_name=authors[number % 7].display_name,
            body=BODY,
            html=html,
            created_at=START + timedelta(seconds=number),
            edited_at=None,
            deleted=False,
            version=1,
        )
        for number in range(count)
    ]
    dynamo.fill(prefix + THREADS.name, [_known(thread_id)])
    dynamo.fill(prefix + USERS.name, (_person(author) for author in authors))
    dynamo.fill(prefix + POSTS.name, (items.to_item(items.to_record(post)) for post in posts))
    dynamo.fill(
        prefix + LOCATIONS.name, ({"id": post.id, "thread_id": thread_id} for post in posts)
    )
    return posts, authors


def _known(thread_id: str) -> dict[str, Any]:
    return {"id": thread_id, "version": 1, "title": "Crowded", "locked": False, "deleted": False}


def _person(author: Author) -> dict[str, Any]:
    return asdict(author) | {"version": 1, "role": "member", "suspended": False, "erased": False}


def make(client: FlaskClient, dynamo: Dynamo, prefix: str, count: int) -> Crowd:
    """Fill the tables of a service."""
    thread_id = uuid7()
    posts, authors = fill(dynamo, prefix, thread_id, count)
    return Crowd(client, thread_id, [public_view(post) for post in posts], authors)
