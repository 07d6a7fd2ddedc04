"""Generated content of a forum of any size, deterministic for a seed."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property

from chassis.markdown import render

PAGE = 20
"""Posts per page, and so in each thread of one full page."""
NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
TALKATIVE = 0.3  # share of all posts written by the first person
SECONDS_APART = 40  # between consecutive posts of the forum

_WORDS = (  # noqa: SIM905 - readable
    "a about after again all and answer any as ask at back before between both boundary call cart"
    " change choose cluster commit consistent copy could cut data database deploy domain each edge"
    " event every fail few first for from good have here how index into join keep key late learn"
    " less limit list load long make many measure message monolith more move name never node not of"
    " often on one order other outbox own page part path people place plan post queue read retry"
    " route rule same schema seam service session shard share slow small some split stage state"
    " stay still table team test than that the their then thread time to together trace under until"
    " use user version wait way week what when which while why with without work write year you"
).split()


@dataclass(frozen=True)
class Size:
    """The size of the content.

    `longest` is the number of posts in the first thread; `pages` threads have one full page.
    """

    users: int
    threads: int
    posts: int
    longest: int
    pages: int


@dataclass(frozen=True)
class Person:
    """A generated user."""

    id: str
    username: str
    display_name: str
    at: datetime


@dataclass(frozen=True)
class Topic:
    """A thread with the counters of its posts."""

    id: str
    title: str
    author: Person
    at: datetime
    active: datetime
    posts: int


@dataclass(frozen=True)
class Text:
    """A post: its Markdown and HTML."""

    id: str
    topic: Topic
    author: Person
    at: datetime
    body: str
    html: str


class Content:
    """People, threads and posts, deterministic for a seed."""

    def __init__(self, size: Size, seed: int = 1) -> None:
        self.size = size
        self._seed = seed
        self._start = NOW - timedelta(seconds=SECONDS_APART * (size.posts + 1))

    @cached_property
    def people(self) -> list[Person]:
        """All people; they registered before the first post."""
        rng = self._rng("people")
        return [
            Person(
                _id(self._start - timedelta(days=1, seconds=-number), rng),
                f"reader-{number:05}",
                f"{rng.choice(_WORDS).title()} {rng.choice(_WORDS).title()}",
                self._start - timedelta(days=1, seconds=-number),
            )
            for number in range(self.size.users)
        ]

    @cached_property
    def topics(self) -> list[Topic]:
        """All threads: the longest, then those with one page, then the others."""
        rng = self._rng("topics")
        counts = self._counts()
        span = SECONDS_APART * self.size.posts
        topics = []
        for number, count in enumerate(counts):
            at = _cut(self._start + timedelta(seconds=span * number / (2 * len(counts))))
            author = rng.choice(self.people)
            title = " ".join(rng.choices(_WORDS, k=rng.randint(4, 8))).capitalize()
            active = at + (NOW - at) * (max(0, count - 1) / max(1, count))
            topics.append(Topic(_id(at, rng), title, author, at, _cut(active), count))
        return topics

    @property
    def longest(self) -> Topic:
        """The thread with the most posts."""
        return self.topics[0]

    @property
    def pages(self) -> list[Topic]:
        """The threads of one full page."""
        return self.topics[1 : 1 + self.size.pages]

    def texts(self) -> Iterator[Text]:
        """Yield all posts, thread by thread, in the order of their writing."""
        for number, topic in enumerate(self.topics):
            yield from self.texts_of(topic, number)

    def texts_of(self, topic: Topic, number: int) -> Iterator[Text]:
        """Yield the posts of one thread, given with its number."""
        rng = self._rng(f"texts {number}")
        for place in range(topic.posts):
            at = _cut(topic.at + (NOW - topic.at) * (place / topic.posts))
            body, html = rng.choice(self._bodies)
            talkative = rng.random() < TALKATIVE
            author = self.people[0] if talkative else rng.choice(self.people)
            yield Text(_id(at, rng), topic, author, at, body, html)

    @cached_property
    def _bodies(self) -> list[tuple[str, str]]:
        # A few texts, reused: rendering Markdown costs more than everything else.
        rng = self._rng("bodies")
        bodies = [_body(rng) for _ in range(200)]
        return [(body, render(body)) for body in bodies]

    def _counts(self) -> list[int]:
        size = self.size
        left = size.posts - size.longest - size.pages * PAGE
        others = size.threads - 1 - size.pages
        if left < 0:
            msg = f"{size.posts} posts are too few"
            raise ValueError(msg)
        each, more = divmod(left, others)
        small = [each + (number < more) for number in range(others)]
        return [size.longest, *[PAGE] * size.pages, *small]

    def _rng(self, what: str) -> random.Random:
        return random.Random(f"{self._seed} {what}")


def _body(rng: random.Random) -> str:
    sentences = []
    for _ in range(rng.randint(2, 6)):
        words = rng.choices(_WORDS, k=rng.randint(6, 14))
        if rng.random() < 0.3:
            words[0] = f"**{words[0]}**"
        if rng.random() < 0.2:
            words[-1] = f"`{words[-1]}`"
        sentences.append(" ".join(words).capitalize() + ".")
    return " ".join(sentences)


def _cut(at: datetime) -> datetime:
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


def _id(at: datetime, rng: random.Random) -> str:
    """Return a UUIDv7 of that time."""
    digits = f"{int(at.timestamp() * 1000):012x}7{rng.getrandbits(12):03x}"
    digits += f"{0x8000 | rng.getrandbits(14):04x}{rng.getrandbits(48):012x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
