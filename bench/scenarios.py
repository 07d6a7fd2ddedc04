"""The load scenarios and their requests."""

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from bench.data.content import PAGE, Content, Person, Topic
from bench.data.fill_sql import PASSWORD
from bench.data.sessions import open_session
from bench.wrk import Request
from chassis.pagination import Cursors
from infra import session_keys

_LINES = 2000
_SESSIONS = 200


@dataclass(frozen=True)
class Scenario:
    """A kind of request; `cookie` sends sessions like a browser, `writes` changes data."""

    name: str
    title: str
    requests: Sequence[Request]
    cookie: bool = False
    writes: bool = False


@dataclass
class Scenarios:
    """Factory of the requests for a content, the same for both sides, which share their keys."""

    content: Content
    secrets: Path
    rng: random.Random = field(default_factory=lambda: random.Random(7))

    def all(self) -> list[Scenario]:
        """Return all scenarios, writes last."""
        spread = self._spread()
        return [
            Scenario("thread", "Thread page, one thread", self._one(f"/threads/{self._page().id}")),
            Scenario("threads", "Thread page, shared with nobody", self._apart(spread)),
            Scenario(
                "signed-in",
                "Thread page, signed in",
                [Request(path, token=self._session()) for path in spread],
                cookie=True,
            ),
            Scenario("list", "List of threads, page", self._one("/")),
            Scenario("profile", "Profile, page", self._one(f"/users/{self.content.people[0].id}")),
            Scenario("api-thread", "`GET /api/threads/{id}`", self._each(self.api_thread)),
            Scenario(
                "api-first", "Posts of the longest thread, first page", self._one(self.first())
            ),
            Scenario("api-last", "Posts of it, deepest page", self._one(self.deepest())),
            Scenario("sign-in", "Sign-in", self._sign_ins(), writes=True),
            Scenario("post", "Create a post", self._posts(), writes=True),
            Scenario("mix", "Mix, 95 % reads and 5 % posts", self._mix(), writes=True),
        ]

    def api_thread(self, topic: Topic) -> str:
        """Return the path of a thread."""
        return f"/api/threads/{topic.id}"

    def first(self) -> str:
        """Return the path of the first page of the longest thread."""
        return f"/api/posts/in-thread/{self.content.longest.id}"

    def deepest(self) -> str:
        """Return the path of its last page."""
        longest = self.content.longest
        texts = list(self.content.texts_of(longest, 0))
        cursors = Cursors((self.secrets / session_keys.SECRET).read_text(encoding="utf-8"))
        before = texts[-PAGE - 1].id if len(texts) > PAGE else ""
        cursor = cursors.encode(f"posts:in-thread:{longest.id}:asc", (before,))
        return f"{self.first()}?cursor={cursor}"

    def session(self, person: Person) -> str:
        """Return a person's session token."""
        return open_session(
            person, (self.secrets / session_keys.PRIVATE).read_text(encoding="utf-8")
        )

    @cached_property
    def _sessions(self) -> list[str]:
        people = self.rng.sample(self.content.people, min(_SESSIONS, self.content.size.users))
        return [self.session(person) for person in people]

    def _session(self) -> str:
        return self.rng.choice(self._sessions)

    def _page(self) -> Topic:
        return self.content.pages[0]

    def _one(self, path: str) -> list[Request]:
        return [Request(path)]

    def _each(self, path: Callable[[Topic], str]) -> list[Request]:
        return [Request(path(self.rng.choice(self.content.pages))) for _ in range(_LINES)]

    def _apart(self, paths: Sequence[str]) -> list[Request]:
        """Vary the URLs of pages so that none is requested twice within a second."""
        return [Request(f"{paths[n % len(paths)]}?n={n}") for n in range(5 * _LINES)]

    def _spread(self) -> list[str]:
        paths = [f"/threads/{topic.id}" for topic in self.content.pages]
        self.rng.shuffle(paths)
        return paths

    def _sign_ins(self) -> list[Request]:
        return [
            _json("/api/users/sessions", {"username": person.username, "password": PASSWORD})
            for person in self.content.people
        ]

    def _posts(self, lines: int = _LINES) -> list[Request]:
        small = self.content.topics[1 + self.content.size.pages :]
        return [
            _json(
                "/api/posts",
                {"thread_id": self.rng.choice(small).id, "body": "What *others* said. " * 10},
                self._session(),
            )
            for _ in range(lines)
        ]

    def _mix(self) -> list[Request]:
        """Return a realistic mix: some threads are read far more often, with occasional writes."""
        pages, people = self.content.pages, self.content.people
        mixed = self._posts(_LINES // 20)
        while len(mixed) < _LINES:
            which = min(int(self.rng.paretovariate(0.7)) - 1, len(pages) - 1)
            kinds = {
                f"/threads/{pages[which].id}": 55,
                "/": 15,
                f"/users/{self.rng.choice(people).id}": 8,
                f"/api/threads/{pages[which].id}": 8,
                f"/api/posts/in-thread/{pages[which].id}": 9,
            }
            mixed.append(Request(self.rng.choices(list(kinds), list(kinds.values()))[0]))
        self.rng.shuffle(mixed)
        return mixed


def _json(path: str, body: dict[str, str], token: str = "") -> Request:
    return Request(path, "POST", token, json.dumps(body))
