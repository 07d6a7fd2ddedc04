"""The people, threads and posts of a new forum, read from the TOML files in this folder.

Each thread is a file: `title`, `opens` (the turn of its first post), `every` (turns between its
posts) and `posts` (`by`, a username, and `body`, Markdown with significant line breaks).
The turns interleave the threads, so that their order by activity is not the order of the files.
"""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).parent
_PEOPLE = "people.toml"


@dataclass(frozen=True)
class Person:
    """A person; `username` is the value of a post's `by`."""

    username: str
    display_name: str
    bio: str


@dataclass(frozen=True)
class Thread:
    """A thread; `slug` is its file's name and part of its idempotency key."""

    slug: str
    title: str
    author: str


@dataclass(frozen=True)
class Post:
    """A post; `number` counts from 1 within its thread."""

    thread: Thread
    number: int
    turn: int
    author: str
    body: str


@dataclass(frozen=True)
class Content:
    """The complete content; `posts` are in the order of writing."""

    people: tuple[Person, ...]
    threads: tuple[Thread, ...]
    posts: tuple[Post, ...]


def read(folder: Path = _FOLDER) -> Content:
    """Read all files of the folder."""
    people = tuple(Person(**row) for row in _load(folder / _PEOPLE)["people"])
    threads: list[Thread] = []
    posts: list[Post] = []
    for path in sorted(folder.glob("*.toml")):
        if path.name == _PEOPLE:
            continue
        table = _load(path)
        rows = table["posts"]
        thread = Thread(path.stem, table["title"], rows[0]["by"])
        threads.append(thread)
        for number, row in enumerate(rows, start=1):
            turn = table["opens"] + (number - 1) * table["every"]
            posts.append(Post(thread, number, turn, row["by"], row["body"].strip()))
    posts.sort(key=lambda post: (post.turn, post.thread.slug))
    return Content(people, tuple(threads), tuple(posts))


def _load(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text(encoding="utf-8"))
