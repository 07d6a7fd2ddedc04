"""Checks of lab 9: lists over shards, posts under races, and templates of a deployment."""

import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any, NoReturn

from chassis.clock import creation_time, format_timestamp, utc_now, uuid7
from labs.outcome import CheckInconclusive, CheckNotRun, fail
from labs.service_probe import Response, ServiceProbe, run_service
from labs.tracebacks import fail_if_unwritten, find_last_error
from labs.workspace import SYNTHESIS_SECONDS, Workspace

GATHER = "chassis/chassis/dynamodb/scatter_gather.py"
THREADS_STORE = "services/threads/threads/dynamodb/store.py"
POSTS_STORE = "services/posts/posts/dynamodb/store.py"
POSTS_SERVICE = "services/posts/posts/service.py"
STACK = "infra/cdk/stacks/component.py"
RULES = "infra/cdk/constructs/listener_rules.py"
STRATEGY = "infra/cdk/constructs/deployment_strategy.py"
LISTS_PAGE = "docs/adr/0009-tables.md"
KEYS_PAGE = "docs/adr/0006-idempotency.md"
EVENTS_PAGE = "docs/adr/0014-events.md"
STRATEGY_PAGE = "docs/adr/0021-strategies.md"
THREADS, IN_ONE_SHARD, RACERS = 30, 25, 8
PAGES = 40
"""The largest number of pages of a list."""
_RACE_SECONDS = 10.0

_SYNTHESIZE = """
import json, sys, tempfile
from pathlib import Path
from infra.cdk.options import read_options
from infra.cdk.synth import synthesise
with tempfile.TemporaryDirectory() as folder:
    options = read_options({"strategy": "blue-green", "extracted": "threads,posts"})
    made = synthesise(options, Path(folder))
    print(json.dumps({stack.stack_name: stack.template for stack in made.stacks}))
"""


class _Examiner:
    """Requests to a service, and diagnoses of its code."""

    def __init__(self, workspace: Workspace, service: ServiceProbe, where: str, page: str) -> None:
        self._workspace, self._service = workspace, service
        self._where, self._page = where, page

    def expect(self, response: Response, status: int, asked: str, name: str, why: str) -> None:
        """Fail unless a response has a status; an error of the program gets its own diagnosis."""
        if response.status == status:
            return
        log, folder = self._service.read_log(), self._workspace.folder
        if response.status == 500:
            fail_if_unwritten(log, folder, self._page)
            error = find_last_error(log, folder)
            self.fail(
                "error",
                asked=asked,
                got=f"500, because of {error.text}" if error else "500",
                expected=str(status),
                where=error.where if error else "",
                why="A request that a client may send never ends in an error of the program.",
            )
        got = f"{response.status} {response.body.get('detail', '')}".strip()
        self.fail(name, asked=asked, got=got, expected=str(status), why=why)

    def fail(
        self, name: str, *, asked: str, got: str, expected: str, why: str, where: str = ""
    ) -> NoReturn:
        """Fail with a diagnosis, by default at the function that the step is about."""
        fail(
            name,
            asked=asked,
            got=got,
            expected=expected,
            where=where or self._where,
            why=why,
            page=self._page,
        )


def check_lists(workspace: Workspace) -> None:
    """Check that pages over all shards have each thread once, while new ones are started."""
    gather = workspace.find_line(GATHER, "def merge_newest(")
    where = f"{gather}, or {workspace.find_line(THREADS_STORE, 'def _list(')}"
    with run_service(workspace, "threads") as service:
        examiner = _Examiner(workspace, service, where, LISTS_PAGE)
        session = service.open_session("ada")

        def begin(title: str) -> None:
            made = service.send("POST", "/api/threads", {"title": title}, session)
            examiner.expect(made, 201, "POST /api/threads", "start", "The list needs threads.")

        for number in range(THREADS):
            begin(f"Thread {number}")
        _fill_one_shard(service)
        for sort, key, limit in (("newest", "id", 20), ("activity", "activity_key", 7)):
            before = sorted(service.scan("threads"), key=lambda item: item[key]["S"], reverse=True)
            expected = [item["id"]["S"] for item in before]
            path = f"/api/threads?sort={sort}&limit={limit}"
            _check_walk(examiner, service, path, expected, begin)


def _fill_one_shard(service: ServiceProbe) -> None:
    """Write threads that are newer than all others, and are in the same shard."""
    model = service.scan("threads")[0]
    plain = {name: next(iter(value.values())) for name, value in model.items()}
    for number in range(IN_ONE_SHARD):
        thread_id = f"{uuid7()[:-4]}0000"
        active = format_timestamp(utc_now() + timedelta(milliseconds=number))
        service.put(
            "threads",
            plain
            | {
                "id": thread_id,
                "title": f"Shard 0, {number}",
                "locked": False,
                "version": 1,
                "post_count": 0,
                "last_activity_at": active,
                "activity_key": f"{active}#{thread_id}",
                "list_shard": "0",
            },
        )


def _check_walk(
    examiner: _Examiner,
    service: ServiceProbe,
    path: str,
    expected: Sequence[str],
    begin: Callable[[str], None],
) -> None:
    """Follow the cursors of a list, and start a thread after each page."""
    listed: list[str] = []
    cursor = ""
    asked = f"GET {path} and all next pages, while threads are started"
    for number in range(PAGES):
        page = service.send("GET", path + (f"&cursor={cursor}" if cursor else ""))
        examiner.expect(page, 200, f"GET {path}", "list", "Everybody may read the list.")
        listed += [thread["id"] for thread in page.body["items"]]
        cursor = page.body["next"] or ""
        if not cursor:
            break
        begin(f"Started after page {number}")
    twice = [one for one, count in Counter(listed).items() if count > 1]
    missing = [one for one in expected if one not in set(listed)]
    if twice:
        examiner.fail(
            "repeats",
            asked=asked,
            got=f"{len(listed)} threads, {len(twice)} of them more than once",
            expected=f"{len(expected)} threads, each once",
            why="A reader sees the same thread on two pages, and a program counts it twice.",
        )
    if missing:
        examiner.fail(
            "skips",
            asked=asked,
            got=f"{len(listed)} threads; {len(missing)} of those that existed before are missing",
            expected=f"{len(expected)} threads, each once",
            why="A thread that is on no page can't be found by those who read the list.",
        )
    if listed != list(expected):
        examiner.fail(
            "order",
            asked=asked,
            got="all threads, in another order",
            expected="the greatest sort key first, over all shards",
            why="A cursor is the place in one order. Without it, pages have no meaning.",
        )
    if cursor:
        examiner.fail(
            "endless",
            asked=asked,
            got=f"a next page after {PAGES} pages",
            expected="null after the last page",
            why="A program that reads the whole list would never end.",
        )


def check_posts(workspace: Workspace) -> None:
    """Check that a post is added once, in order, and only to an open thread."""
    where = workspace.find_line(POSTS_STORE, "def add(")
    with run_service(workspace, "posts") as service:
        examiner = _Examiner(workspace, service, where, KEYS_PAGE)
        session = service.open_session("ada")
        thread = _Thread(service, session)
        first = thread.reply("First", key="the-first-key")
        why = "The contract is the same before and after the split."
        examiner.expect(first, 201, "POST /api/posts", "reply", why)
        _check_repetitions(examiner, service, thread, first)
        service_where = workspace.find_line(POSTS_SERVICE, "def create(")
        _check_closing(examiner, service)
        _check_late_repetition(examiner, thread, first, service_where)
        _check_order(examiner, _Thread(service, session), service_where)
        _check_events(examiner, service)


class _Thread:
    """A thread that the posts service knows, and replies to it."""

    def __init__(self, service: ServiceProbe, session: dict[str, str]) -> None:
        self.id, self._service, self._session = uuid7(), service, session
        self.store()

    def store(self, *, locked: bool = False, **more: str) -> None:
        """Write the thread into the replica, as an event would."""
        state = {"id": self.id, "title": "T", "locked": locked, "deleted": False}
        version = 2 if locked else 1
        self._service.put("posts-threads", state | {"version": version} | more)

    def reply(self, body: str, key: str = "") -> Response:
        """Send a post."""
        headers = self._session | ({"Idempotency-Key": key} if key else {})
        new = {"thread_id": self.id, "body": body}
        return self._service.send("POST", "/api/posts", new, headers)

    def count(self) -> int:
        """Return how many posts are in the table."""
        posts = self._service.scan("posts")
        return sum(item["thread_id"]["S"] == self.id for item in posts)


def _check_repetitions(
    examiner: _Examiner, service: ServiceProbe, thread: _Thread, first: Response
) -> None:
    again = thread.reply("First", key="the-first-key")
    if again.status != 201 or again.body != first.body or thread.count() != 1:
        examiner.fail(
            "duplicate-posts",
            asked="the same post twice, with one Idempotency-Key",
            got=f"{first.status} and {again.status}; {thread.count()} posts",
            expected="201 twice, with the same post; 1 post",
            why="A client that lost the response repeats the request, and has written once.",
        )
    raced = service.race(RACERS, lambda _: thread.reply("Raced", key="a-key-of-a-race"))
    statuses = Counter(response.status for response in raced)
    ids = {response.body.get("id") for response in raced if response.status == 201}
    got = ", ".join(f"{count} × {status}" for status, count in sorted(statuses.items()))
    if thread.count() != 2:
        examiner.fail(
            "duplicate-posts",
            asked=f"{RACERS} times the same post at once, with one Idempotency-Key",
            got=f"{got}; {thread.count() - 1} posts",
            expected=f"{RACERS} × 201; 1 post",
            why="None of them finds a response before. Only the transaction can refuse a key.",
        )
    if set(statuses) != {201} or len(ids) != 1:
        examiner.fail(
            "not-repeatable",
            asked=f"{RACERS} times the same post at once, with one Idempotency-Key",
            got=f"{got}; {len(ids)} different posts in the responses",
            expected=f"{RACERS} × 201, with the same post",
            why="The post is written. A client that gets an error would write it again.",
        )
    if service.writes.most_at_once < 2:
        msg = "no two posts were written at the same time"
        raise CheckInconclusive(msg)


def _check_closing(examiner: _Examiner, service: ServiceProbe) -> None:
    late = _Thread(service, service.open_session("grace"))
    with service.writes.delayed(0.5), ThreadPoolExecutor(1) as pool:
        sent = pool.submit(late.reply, "Too late")
        end = time.monotonic() + _RACE_SECONDS
        while not service.writes.most_at_once and time.monotonic() < end and not sent.done():
            time.sleep(0.01)
        waited = not sent.done()
        late.store(locked=True)
        response = sent.result()
    if response.status == 201 and late.count() and waited:
        examiner.fail(
            "reply-in-locked",
            asked="POST /api/posts, in a thread that is locked after it was read",
            got=f"201; {late.count()} post in the locked thread",
            expected="409, and no post",
            why="What was read may have changed. The transaction has to check it again.",
        )
    if not waited:
        msg = "the post was not on its way while the thread was locked"
        raise CheckInconclusive(msg)
    why = "The thread is locked, and the client can say so."
    examiner.expect(response, 409, "the same, as a response", "conflict", why)


def _check_late_repetition(
    examiner: _Examiner, thread: _Thread, first: Response, where: str
) -> None:
    thread.store(locked=True)
    again = thread.reply("First", key="the-first-key")
    if again.status != 201 or again.body != first.body:
        examiner.fail(
            "not-repeatable",
            asked="the first post once more, with its Idempotency-Key, after the thread was locked",
            got=f"{again.status} {again.body.get('detail', '')}".strip(),
            expected="201, with the first post",
            where=where,
            why="The post was written when the thread was open. The key comes first.",
        )


def _check_order(examiner: _Examiner, thread: _Thread, where: str) -> None:
    newest = utc_now() + timedelta(seconds=60)
    thread.store(newest_post_at=format_timestamp(newest))
    made = thread.reply("After a post of a fast clock")
    why = "Clocks of two machines differ. That is no reason to refuse a post."
    examiner.expect(made, 201, "POST /api/posts", "reply", why)
    written = datetime.fromisoformat(made.body["created_at"])
    by_id = creation_time(made.body["id"])
    if written > newest and by_id and by_id > newest:
        return
    examiner.fail(
        "out-of-order",
        asked="POST /api/posts, in a thread whose newest post is 60 s ahead of this clock",
        got=f"created_at {(written - newest).total_seconds():+.0f} s from the newest post",
        expected="created_at and the id later than the newest post",
        where=where,
        why="Posts are sorted by id. The reply would stand above what it replies to.",
    )


def _check_events(examiner: _Examiner, service: ServiceProbe) -> None:
    posts = sorted(item["id"]["S"] for item in service.scan("posts"))
    stored = [item["event"]["S"] for item in service.scan("posts-outbox") if "event" in item]
    events = [json.loads(text) for text in stored]
    created = sorted(one["subject"] for one in events if one["type"] == "post.created")
    if created != posts:
        examiner.fail(
            "no-event",
            asked="all posts of this check, then the outbox",
            got=f"{len(posts)} posts, {len(created)} events post.created",
            expected="one event for each post, written in the same transaction",
            why="The threads service counts posts by these events.",
        )


def check_deployment(workspace: Workspace) -> None:
    """Check that each service has two target groups of its own, and that ECS shifts the weights."""
    done = workspace.run("-c", _SYNTHESIZE, seconds=SYNTHESIS_SECONDS)
    if done.returncode:
        fail_if_unwritten(done.stderr, workspace.folder, STRATEGY_PAGE)
        raise CheckNotRun(done.stderr)
    stacks = json.loads(done.stdout.splitlines()[-1])
    for component in ("threads", "posts"):
        resources = stacks[f"forum-{component}"]["Resources"]
        _check_service(workspace, component, resources)


def _check_service(workspace: Workspace, component: str, resources: dict[str, Any]) -> None:
    where = workspace.find_line(STACK, "def _balance_by_weight(")
    service = next(
        each["Properties"]
        for each in resources.values()
        if each["Type"] == "AWS::ECS::Service" and each["Properties"]["ServiceName"] == component
    )

    def differ(name: str, what: str, *values: str, why: str, at: str = where) -> NoReturn:
        asked, (got, expected) = f"{what} of {component}, in its synthesized template", values
        page = STRATEGY_PAGE
        fail(name, asked=asked, got=got, expected=expected, where=at, why=why, page=page)

    configuration = service["DeploymentConfiguration"]
    strategy = workspace.find_line(STRATEGY, "def strategy_arguments(")
    if (kind := configuration.get("Strategy", "ROLLING")) != "BLUE_GREEN":
        why = "ECS would replace task by task, and both revisions would get requests."
        differ("rolling", "the strategy", kind, "BLUE_GREEN", why=why, at=strategy)
    if not configuration.get("BakeTimeInMinutes"):
        why = "The old revision would stop at once. Most mistakes show after some minutes."
        differ("no-bake", "the bake time", "none", "some minutes", why=why, at=strategy)
    balanced = service["LoadBalancers"][0]
    advanced = balanced.get("AdvancedConfiguration") or {}
    blue = _name(balanced["TargetGroupArn"])
    green = _name(advanced.get("AlternateTargetGroupArn"))
    if not green or blue == green:
        why = "ECS starts the new revision in the other group, before it gets requests."
        differ("one-group", "the target groups", "one", "two, blue and green", why=why)
    if green not in resources:
        differ(
            "not-alone",
            "the green target group",
            "a resource of another stack",
            "a resource of this stack",
            why="Another stack would have to be deployed first, with what others change in it.",
        )
    rule = resources.get(_name(advanced.get("ProductionListenerRule")))
    if rule is None:
        why = "ECS has to know whose weights it shifts."
        differ("no-rule", "the production rule", "none in this stack", "a listener rule", why=why)
    if _name(advanced.get("TestListenerRule")) not in resources:
        why = "The new revision is validated first, by requests that only this rule lets through."
        differ("no-test-rule", "the test rule", "none in this stack", "a listener rule", why=why)
    _check_rule(workspace, rule["Properties"], f"/api/{component}", (blue, green), differ)


def _name(reference: Any) -> str:
    """Return the resource, or the export of another stack, to which a value refers."""
    if not isinstance(reference, dict):
        return str(reference or "")
    (target,) = reference.values()
    return str(target[0] if isinstance(target, list) else target)


def _check_rule(
    workspace: Workspace,
    rule: dict[str, Any],
    path: str,
    colours: Sequence[str],
    differ: Callable[..., NoReturn],
) -> None:
    at = workspace.find_line(RULES, "def forward(")
    groups = rule["Actions"][0].get("ForwardConfig", {}).get("TargetGroups", [])
    # Without a weight, a group has 1.
    blue, green = (
        sum(each.get("Weight", 1) for each in groups if _name(each["TargetGroupArn"]) == colour)
        for colour in colours
    )
    if len(groups) != 2 or not blue or green:
        differ(
            "weights",
            "the weights of the rule",
            f"blue {blue}, green {green}, in {len(groups)} target groups",
            "blue 100, green 0",
            why="The green group is empty until a deployment. Requests to it get 503.",
            at=at,
        )
    paths = [
        value
        for condition in rule["Conditions"]
        for value in condition.get("PathPatternConfig", {}).get("Values", [])
    ]
    if sorted(paths) != [path, f"{path}/*"]:
        differ(
            "paths",
            "the paths of the rule",
            ", ".join(paths) or "none",
            f"{path} and {path}/*",
            why="The rule of a strategy takes the same paths as that of a rolling deployment.",
            at=at,
        )


CHECKS = (check_lists, check_posts, check_deployment)
