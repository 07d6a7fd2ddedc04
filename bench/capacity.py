"""Consumption of operations in DynamoDB, including their events, and the cost per million."""

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient

from bench.data.content import Content
from bench.data.fill_sql import PASSWORD
from bench.data.fill_tables import into_tables
from bench.data.sessions import open_session
from bench.dynamo import Meter, Metered, running
from bench.growth import size
from bench.inside import Keys, Services, make_keys
from chassis.clock import utc_now, uuid7
from chassis.dynamodb.database import Database, connect
from infra.domains import SERVICES
from posts.event_handlers import EventHandlers as PostEventHandlers
from threads.event_handlers import EventHandlers as ThreadEventHandlers

PRICES = Path(__file__).with_name("prices.toml")
POSTS = 1000
_BODY = "What *others* said about it, in a few lines. " * 6
# Sent to the queue, received and deleted, without batching.
_PER_DELIVERY = 3


@dataclass(frozen=True)
class Operation:
    """The consumption of one operation; `events` is that of its events in relays and consumers.

    The monolith's replica is in its own database and consumes nothing here, but it has a queue.
    """

    name: str
    itself: Meter
    events: Meter
    published: int = 0
    deliveries: int = 0

    def dollars(self, prices: Mapping[str, float]) -> float:
        """Return the price of a million operations."""
        whole = self.itself + self.events
        return (
            whole.read_units * prices["read_units"]
            + whole.write_units * prices["write_units"]
            + self.published * prices["published"]
            + self.deliveries * _PER_DELIVERY * prices["queue_requests"]
        )


def prices() -> Mapping[str, Any]:
    """Read the prices."""
    return tomllib.loads(PRICES.read_text(encoding="utf-8"))


def measure() -> list[Operation]:
    """Run each operation once on a forum of a thousand posts, and process its events."""
    content, keys = Content(size(POSTS)), make_keys()
    with running():
        metered = Metered()
        try:
            services = Services("capacity-", keys)
            into_tables(services.client, services.prefix, content, lambda _: None)
            return list(_Bench(services, metered, content, keys).operations())
        finally:
            metered.close()


class _Bench:
    def __init__(self, services: Services, metered: Metered, content: Content, keys: Keys) -> None:
        self._services, self._metered, self._content = services, metered, content
        database = Database(connect(), services.prefix)
        self._outboxes = [one.outbox(database, utc_now, uuid7) for one in SERVICES.values()]
        _, of_threads, of_posts = self._outboxes
        self._consumers = (
            ThreadEventHandlers(database, of_threads).handlers(),
            PostEventHandlers(database, of_posts).handlers(),
        )
        self._headers = {"Authorization": f"Bearer {open_session(content.people[1], keys.private)}"}

    def operations(self) -> list[Operation]:
        """Run every operation once."""
        content, page = self._content, self._content.pages[0]
        thread_path, posts_path = f"/api/threads/{page.id}", f"/api/posts/in-thread/{page.id}"
        by_user = f"/api/posts/by-user/{content.people[0].id}"
        done = [
            self._reads("Thread page", thread_path, posts_path),
            self._reads("List page", "/api/threads"),
            self._reads("Profile page", f"/api/users/{content.people[0].id}", by_user),
            self._reads("`GET /api/threads/{id}`", thread_path),
            self._reads("`GET /api/posts/in-thread/{id}`", posts_path),
        ]
        self._outcome = ""
        done.append(self._writes("Register", "POST", "/api/users", _NEW_USER))
        credentials = {"username": content.people[2].username, "password": PASSWORD}
        done.append(self._writes("Sign in", "POST", "/api/users/sessions", credentials))
        title = {"title": "Where would you cut first"}
        done.append(self._writes("Open a thread", "POST", "/api/threads", title))
        thread = self._outcome
        first = {"thread_id": thread, "body": _BODY}
        self._writes("First post", "POST", "/api/posts", first)
        done.append(self._writes("Create a post", "POST", "/api/posts", first))
        post = f"/api/posts/{self._outcome}"
        done.append(self._writes("Edit a post", "PATCH", post, {"body": _BODY + "More."}))
        done.append(self._writes("Delete a post", "DELETE", post, None))
        return done

    def _reads(self, name: str, *paths: str) -> Operation:
        for path in paths:
            _ask(self._services.of(path), "GET", path)
        with self._metered.metered() as itself:
            for path in paths:
                _ask(self._services.of(path), "GET", path)
        return Operation(name, itself, Meter())

    def _writes(self, name: str, method: str, path: str, body: Any) -> Operation:
        headers = dict(self._headers)
        if method == "POST" and path != "/api/users/sessions":
            headers["Idempotency-Key"] = uuid7()
        with self._metered.metered() as itself:
            answer = _ask(self._services.of(path), method, path, json=body, headers=headers)
        self._outcome = (answer or {}).get("id", "")
        published = deliveries = 0
        with self._metered.metered() as events:
            for outbox in self._outboxes:
                unpublished = outbox.load_unpublished(100)
                for event in unpublished:
                    # One more for the monolith, which consumes all events.
                    deliveries += 1
                    for handlers in self._consumers:
                        if event.type in handlers:
                            deliveries += 1
                            handlers[event.type](event)
                if unpublished:
                    outbox.mark_published(unpublished)
                published += len(unpublished)
        return Operation(name, itself, _without_looking(events), published, deliveries)


def _without_looking(events: Meter) -> Meter:
    """Subtract the polls of outboxes, which a relay shares among all events."""
    looks = 3 * 4
    return events - Meter(calls=looks, read_units=looks * 0.5)


_NEW_USER = {"username": "somebody-new", "password": PASSWORD}


def _ask(client: FlaskClient, method: str, path: str, **options: Any) -> Any:
    send: Callable[..., Any] = client.open
    answer = send(path, method=method, **options)
    if answer.status_code >= 400:
        msg = f"{method} {path} was answered {answer.status_code}: {answer.text[:300]}"
        raise RuntimeError(msg)
    return answer.get_json(silent=True)
