"""Random event histories of people, threads and posts, with their final state."""

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from chassis.clock import format_timestamp, uuid7
from chassis.messaging.events import Event

START = datetime(2026, 1, 31, 12, tzinfo=UTC)
WORDS = ("splitting", "monoliths", "slowly", "twice")


@dataclass
class History:
    """Events in chronological order, and the last one of each thing."""

    events: list[Event] = field(default_factory=list)

    def last(self, domain: str) -> dict[str, Event]:
        """Return the newest event of each thing of a domain."""
        return {e.subject: e for e in self.events if e.type.startswith(domain)}

    def add(self, kind: str, subject: str, version: int, data: dict) -> None:
        time = START + timedelta(milliseconds=len(self.events))
        source = f"/{kind.partition('.')[0]}s"
        self.events.append(Event(uuid7(), kind, source, subject, version, time, data))


def happen(seed: int, people: int, threads: int, posts: int) -> History:
    """Generate a random history."""
    chance = random.Random(seed)
    history = History()
    persons = [uuid7() for _ in range(people)]
    places = [uuid7() for _ in range(threads)]
    for number, person in enumerate(persons):
        _live(history, chance, person, number)
    for thread in places:
        _discuss(history, chance, thread, chance.choice(persons))
    for _ in range(posts):
        _write(history, chance, chance.choice(places), chance.choice(persons))
    return history


def _at(chance: random.Random) -> datetime:
    return START + timedelta(seconds=chance.randrange(100))


def _live(history: History, chance: random.Random, person: str, number: int) -> None:
    data = {
        "username": f"person-{number}",
        "display_name": "First",
        "bio": "",
        "role": "member",
        "suspended": False,
        "created_at": format_timestamp(_at(chance)),
        "sessions_valid_from": 0,
    }
    history.add("user.registered", person, 1, data)
    version = 1
    for version in range(2, 2 + chance.randrange(4)):
        suspended = chance.random() < 0.3
        kind = "user.updated" if suspended == data["suspended"] else "user.suspended"
        data = data | {
            "display_name": f"Name {version}",
            "bio": f"bio {version}",
            "role": chance.choice(["member", "moderator"]),
            "suspended": suspended,
            "sessions_valid_from": chance.choice([data["sessions_valid_from"], version]),
        }
        history.add(kind, person, version, data)
    if chance.random() < 0.3:
        history.add("user.erased", person, version + 1, {})


def _discuss(history: History, chance: random.Random, thread: str, author: str) -> None:
    fixed = {"author_id": author, "created_at": format_timestamp(_at(chance))}
    last = chance.randrange(1, 4)
    for version in range(1, last + 1):
        title = " ".join(chance.sample(WORDS, 2))
        kind = "thread.created" if version == 1 else "thread.updated"
        data = fixed | {"title": title, "locked": chance.random() < 0.3}
        history.add(kind, thread, version, data)
    if chance.random() < 0.3:
        history.add("thread.deleted", thread, last + 1, fixed)


def _write(history: History, chance: random.Random, thread: str, author: str) -> None:
    post, at = uuid7(), _at(chance)
    fixed = {"thread_id": thread, "author_id": author, "created_at": format_timestamp(at)}
    last = chance.randrange(1, 4)
    for version in range(1, last + 1):
        edited = None if version == 1 else format_timestamp(at + timedelta(hours=version))
        kind = "post.created" if version == 1 else "post.updated"
        data = fixed | {"body": f"*text* {version}", "edited_at": edited, "deleted": False}
        history.add(kind, post, version, data)
    if chance.random() < 0.4:
        gone = {"body": "", "edited_at": None, "deleted": True}
        history.add("post.deleted", post, last + 1, fixed | gone)
