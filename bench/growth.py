"""The database work of pages while a forum grows: it must stay constant."""

import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from flask.testing import FlaskClient

from bench.data.content import PAGE, Content, Size
from bench.data.fill_sql import into_sql
from bench.data.fill_tables import into_tables
from bench.dynamo import Metered, running
from bench.inside import SECRET, Monolith, Services, make_keys
from bench.progress import Progress
from chassis.clock import format_timestamp
from chassis.pagination import Cursors

DEEPER = 1.2
"""Maximum ratio of the cost of a list's deepest page to that of its first page."""
GROWTH = 1.2
"""Maximum ratio of the cost of a page in the largest forum to that in the smallest."""
_TIMES = 15


@dataclass(frozen=True)
class Cost:
    """The cost of one page at one size; milliseconds are of the whole response, in one process."""

    page: str
    posts: int
    deepest: bool
    calls: int
    items: int
    read_units: float
    services_ms: float
    statements: int
    steps: int
    monolith_ms: float


@dataclass(frozen=True)
class Page:
    """A page of the API, available on both sides."""

    name: str
    path: str
    deepest: bool = False


def size(posts: int) -> Size:
    """Return the size of a forum with this number of posts, half of them in one thread."""
    # At least as many people and threads as fill the shards of a first page.
    people, threads = max(200, posts // 50), max(200, posts // 10)
    return Size(people, threads, posts, longest=posts // 2, pages=1)


def measure(sizes: Sequence[int]) -> list[Cost]:
    """Measure every page at every size, on both sides."""
    costs = []
    keys = make_keys()
    with running(), tempfile.TemporaryDirectory() as folder:
        metered = Metered()
        try:
            for count in sizes:
                content = Content(size(count))
                services = Services(f"grown{count}-", keys)
                monolith = Monolith(Path(folder) / f"{count}.sqlite", keys)
                total = 2 * (content.size.users + content.size.threads + count)
                progress = Progress(f"Growing a forum to {count:,} posts", total)
                into_sql(monolith.engine, content, progress.more, credentials=True)
                into_tables(services.client, services.prefix, content, progress.more)
                progress.end()
                costs += [
                    _cost(page, count, metered, services, monolith) for page in pages(content)
                ]
                monolith.close()
        finally:
            metered.close()
    return costs


def pages(content: Content) -> list[Page]:
    """Return all measured pages."""
    longest, talkative = content.longest, content.people[0]
    texts = list(content.texts())
    in_thread = [text.id for text in texts if text.topic is longest]
    by_user = sorted((text.id for text in texts if text.author is talkative), reverse=True)
    newest = sorted((text.id for text in texts), reverse=True)
    active = sorted(
        (f"{format_timestamp(one.active)}#{one.id}" for one in content.topics), reverse=True
    )
    topics = sorted((topic.id for topic in content.topics), reverse=True)
    people = sorted((person.id for person in content.people), reverse=True)
    lists = (
        ("a thread's posts", f"/api/posts/in-thread/{longest.id}", in_thread),
        ("a person's posts", f"/api/posts/by-user/{talkative.id}", by_user),
        ("all posts", "/api/posts", newest),
        ("threads by activity", "/api/threads", active),
        ("threads by age", "/api/threads?sort=newest", topics),
        ("all people", "/api/users", people),
    )
    names = (
        f"posts:in-thread:{longest.id}:asc",
        f"posts:by-user:{talkative.id}",
        *("posts", "threads:activity", "threads:newest", "users"),
    )
    cursors = Cursors(SECRET)
    found = []
    for (page, path, keys), name in zip(lists, names, strict=True):
        assert len(keys) > PAGE, f"{page}: {len(keys)}"  # noqa: S101
        cursor = cursors.encode(name, (keys[-PAGE - 1],))
        found.append(Page(page, path))
        mark = "&" if "?" in path else "?"
        found.append(Page(page, f"{path}{mark}cursor={cursor}", deepest=True))
    found.append(Page("a thread", f"/api/threads/{longest.id}"))
    found.append(Page("a person", f"/api/users/{talkative.id}"))
    return found


def grown(costs: Sequence[Cost]) -> list[str]:
    """Return the pages whose cost grows with the forum or with the depth; none without costs."""
    wrong = []
    smallest = min((cost.posts for cost in costs), default=0)
    by = {(cost.page, cost.posts, cost.deepest): cost for cost in costs}
    for cost in costs:
        where = f"{cost.page}, {'deepest' if cost.deepest else 'first'} page, {cost.posts:,} posts"
        first = by[cost.page, cost.posts, False]
        base = by[cost.page, smallest, cost.deepest]
        wrong += _more(f"{where}, against the first page", cost, first, DEEPER)
        wrong += _more(f"{where}, against {smallest:,} posts", cost, base, GROWTH)
    return wrong


# The number of distinct authors on a page varies: an item and a unit per person.
_CHANCE = {"items": 6, "read_units": 6.0, "steps": 100}


def _more(where: str, cost: Cost, base: Cost, times: float) -> list[str]:
    wrong = []
    for name in ("calls", "items", "read_units", "statements", "steps"):
        now, then = getattr(cost, name), getattr(base, name)
        # The number of calls must be identical.
        most = times * then + _CHANCE[name] if name in _CHANCE else then
        if now > most:
            wrong.append(f"{where}: {now} {name.replace('_', ' ')} instead of {then}")
    return wrong


def _cost(page: Page, posts: int, metered: Metered, services: Services, monolith: Monolith) -> Cost:
    path = page.path
    service, own = services.of(path), monolith.of(path)
    services_ms, monolith_ms = _milliseconds(service, path), _milliseconds(own, path)
    with metered.metered() as asked:
        _get(service, path)
    with monolith.metered() as database:
        _get(own, path)
    return Cost(
        page.name,
        posts,
        page.deepest,
        asked.calls,
        asked.items,
        asked.read_units,
        services_ms,
        database.statements,
        database.steps,
        monolith_ms,
    )


def _milliseconds(client: FlaskClient, path: str) -> float:
    took = []
    for _ in range(_TIMES):
        began = time.perf_counter()
        _get(client, path)
        took.append(time.perf_counter() - began)
    return round(1000 * median(took), 2)


def _get(client: FlaskClient, path: str) -> dict[str, Any]:
    answer = client.get(path)
    if answer.status_code != 200:
        msg = f"{path} was answered {answer.status_code}: {answer.text[:300]}"
        raise RuntimeError(msg)
    found: dict[str, Any] = answer.get_json()
    return found


def as_json(costs: Sequence[Cost]) -> list[dict[str, Any]]:
    """Return the costs as JSON."""
    return [asdict(cost) for cost in costs]
