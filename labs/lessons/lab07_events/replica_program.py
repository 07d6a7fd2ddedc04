"""The threads service's consumers of events that come twice, late, at the same time, or in a crash.

Prints the counts of posts and the author's name after each of these.
"""

import json
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timedelta
from threading import Barrier

from chassis.clock import format_timestamp, utc_now, uuid7
from chassis.dynamodb.tables import create_tables
from chassis.messaging.events import Event
from infra.keypair import generate_keypair
from threads.bootstrap import ThreadsService
from threads.dynamodb.tables import TABLES
from threads.model import Thread
from threads.settings import ThreadsSettings

PREFIX = "labs-"
WRITES = 3
"""The largest number of writes of an event after which the consumer is killed."""
_WRITES = ("PutItem", "UpdateItem", "TransactWriteItems")


class Killed(BaseException):
    """The end of the consumer; no handler of errors may go on after it."""


class Bench:
    """A threads service with one thread, and the events that it consumes."""

    def __init__(self) -> None:
        self.service = ThreadsService(
            ThreadsSettings(
                secret_key="x" * 32,
                session_public_keys=generate_keypair()[1],
                table_prefix=PREFIX,
                posts_url="http://posts.invalid",
            )
        )
        create_tables(self.service.database.client, PREFIX, TABLES)
        self.handlers = self.service.event_handlers()
        now, self.author = utc_now() - timedelta(minutes=1), uuid7()
        self.thread = Thread(
            id=uuid7(),
            title="First",
            author_id=self.author,
            author_name="Ada",
            created_at=now,
            last_activity_at=now,
            post_count=0,
            locked=False,
            version=1,
        )
        self.service.store.add(self.thread, None, {})

    def post(
        self, kind: str, post_id: str, version: int, created_at: datetime | None = None
    ) -> Event:
        """Make an event about a post in the thread."""
        # No later than the thread's latest activity, whose change would have a condition, too.
        data = {
            "thread_id": self.thread.id,
            "created_at": format_timestamp(created_at or self.thread.created_at),
            "deleted": kind == "post.deleted",
        }
        return Event(uuid7(), kind, "/posts", post_id, version, utc_now(), data)

    def user(self, version: int, name: str) -> Event:
        """Make an event about the thread's author."""
        data = {"display_name": name, "role": "member", "suspended": False}
        return Event(uuid7(), "user.updated", "/users", self.author, version, utc_now(), data)

    def deliver(self, *events: Event) -> None:
        """Apply events, one after the other."""
        for event in events:
            self.handlers[event.type](event)

    def added(self, action: Callable[[], object]) -> int:
        """Return by how much an action changes the count."""
        before = self._read().post_count
        action()
        return self._read().post_count - before

    def name(self) -> str:
        """Return the author's name, as readers see it."""
        return self._read().author_name

    def activity(self) -> datetime:
        """Return the thread's latest activity, as readers see it."""
        return self._read().last_activity_at

    def _read(self) -> Thread:
        return self.service.threads.get(self.thread.id)


def main() -> int:
    """Print what each delivery changes."""
    os.environ.update(json.loads(sys.argv[1]))
    bench = Bench()
    found: dict[str, object] = {}
    event = bench.post("post.created", uuid7(), 1)
    found["once"] = bench.added(lambda: bench.deliver(event))
    found["again"] = bench.added(lambda: bench.deliver(event))

    other = uuid7()
    newer, older = bench.post("post.deleted", other, 2), bench.post("post.created", other, 1)
    found["late"] = bench.added(lambda: bench.deliver(newer, older))

    bench.deliver(bench.user(3, "Ada Lovelace"), bench.user(2, "Ada"), bench.user(3, "Ada L."))
    found["name"] = bench.name()

    bench.deliver(bench.user(4, "Ada King"))
    found["renamed"] = bench.name()
    counted = uuid7()
    bench.deliver(bench.post("post.created", counted, 1))
    deleted = bench.post("post.deleted", counted, 2)
    found["deleted"] = bench.added(lambda: bench.deliver(deleted))

    found["race"] = bench.added(lambda: _deliver_at_once(bench))
    found["crashes"] = _crash(bench)
    for name, age in (("active", timedelta(seconds=30)), ("clamped", timedelta(hours=-1))):
        created_at = utc_now() - age
        bench.deliver(bench.post("post.created", uuid7(), 1, created_at))
        expected = min(created_at, utc_now())
        found[name] = round((bench.activity() - expected).total_seconds(), 1)
    sys.stdout.write(json.dumps(found) + "\n")
    return 0


def _deliver_at_once(bench: Bench) -> None:
    """Deliver an event to two consumers at the same time."""
    event, start = bench.post("post.created", uuid7(), 1), Barrier(2)

    def deliver(_number: int) -> None:
        start.wait(5)
        bench.deliver(event)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(deliver, range(2)))


def _crash(bench: Bench) -> list[int]:
    """Return what two deliveries of an event add, if the first ends after its n-th write."""
    added, events = [], bench.service.database.client.meta.events
    for writes in range(1, WRITES + 1):
        event, left = bench.post("post.created", uuid7(), 1), writes

        def count(**_arguments: object) -> None:
            nonlocal left
            left -= 1
            if not left:
                raise Killed

        def deliver_twice(event: Event = event, count: Callable[..., None] = count) -> None:
            for operation in _WRITES:
                events.register(f"after-call.dynamodb.{operation}", count)
            with suppress(Killed):
                bench.deliver(event)
            for operation in _WRITES:
                events.unregister(f"after-call.dynamodb.{operation}", count)
            bench.deliver(event)

        added.append(bench.added(deliver_twice))
        if left > 0:
            break
    return added


if __name__ == "__main__":
    sys.exit(main())
