"""Threads and the rules about them; the standard library only."""

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

MODERATOR = "moderator"
FORMER_MEMBER = "former member"
"""Shown in place of somebody whose account was erased, or who is not known yet."""
MAX_INDEXED_WORDS = 40
"""So many different words of a title can be searched for: a bound for one transaction."""

_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Author:
    """Who began a thread, by the name that is shown."""

    id: str
    display_name: str


@dataclass(frozen=True)
class Thread:
    """A thread; `version` counts the changes that a person made to it."""

    id: str
    title: str
    author: Author
    created_at: datetime
    last_activity_at: datetime
    post_count: int
    locked: bool
    version: int


def words(text: str) -> tuple[str, ...]:
    """Give the different words of a text in their order, in the one form that is compared.

    One character can stand for many (NFKC), so a very long word is known by its hash.
    """
    found = dict.fromkeys(_WORD.findall(unicodedata.normalize("NFKC", text).casefold()))
    return tuple(
        word if len(word) <= 64 else f"#{sha256(word.encode()).hexdigest()}" for word in found
    )


def title_words(title: str) -> frozenset[str]:
    """Give the words by which a title is found."""
    return frozenset(words(title)[:MAX_INDEXED_WORDS])


def may_rename(actor_id: str, actor_role: str, thread: Thread) -> bool:
    """Tell whether an actor may change the title: the author or a moderator."""
    return actor_role == MODERATOR or actor_id == thread.author.id


def may_lock(actor_role: str) -> bool:
    """Tell whether an actor may lock and unlock: only a moderator."""
    return actor_role == MODERATOR


def may_delete(actor_id: str, actor_role: str, thread: Thread) -> bool:
    """Tell whether an actor may delete at all: a moderator, or the author, who must be alone."""
    return actor_role == MODERATOR or actor_id == thread.author.id


def must_be_sole_author(actor_role: str) -> bool:
    """Tell whether an actor may delete only while nobody else has written in the thread."""
    return actor_role != MODERATOR
