"""A small forum that runs a workspace's code, and moves its posts while people write.

The monolith on SQLite, the posts service on DynamoDB, and the gateway in front of both. There is no
bus: nothing here depends on events, so whatever the mover forgets is missing.
"""

import json
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from typing import Any, NoReturn, Self

import boto3
import urllib3

from chassis.dynamodb import attribute_values
from chassis.dynamodb.database import Database
from chassis.ownership.state import OwnershipStore, State
from extraction.extraction import FREEZE_SECONDS
from forum.ownership.state import FROZEN
from infra import local_environment, session_keys
from infra.runner.free_port import free_port
from infra.stages import COMPONENTS, MONOLITH
from labs.forum_content import create_forum
from labs.outcome import CheckInconclusive, CheckNotRun, fail
from labs.program import Program, run_program, server_command
from labs.server import HOST
from labs.service_probe import PREFIX, WITHOUT_LIMITS, create_tables
from labs.slow_writes import SlowWrites, run_datastore
from labs.tracebacks import fail_if_unwritten, find_last_error
from labs.workspace import Workspace, last_lines

PAGE = "docs/extracting.md"
PAUSE = "X-Labs-Pause"  # as in labs.paced_forum, which only runs within the monolith
SHOWN = 5
"""The number of posts that a diagnosis names."""
_TIMEOUT = urllib3.Timeout(connect=2, read=15)
_READY = {MONOLITH: "/readyz", "posts": "/readyz", "gateway": "/"}
_MOVER_SECONDS, _WRITER_SECONDS = 40.0, 20.0
_OWNERS = {MONOLITH: "the monolith", "posts": "their service"}
_NO_DATABASE = "endpoint URL"
"""In each error of a connection to DynamoDB."""
_PASSWORD = "correct horse battery"  # noqa: S105 - of accounts on a temporary database


@dataclass
class Post:
    """A post as its writer knows it: the last state that was acknowledged."""

    id: str
    thread_id: str
    body: str
    version: int = 1
    deleted: bool = False
    certain: bool = True
    """Whether the writer knows the response to its last request."""


@dataclass(frozen=True)
class MoverRun:
    """A run of the mover: its exit code and output, and its calls."""

    code: int
    output: str
    calls: list[dict[str, Any]]

    def count(self, point: str, event: str = "ends") -> int:
        """Return the number of calls of a point."""
        return sum((one["point"], one["event"]) == (point, event) for one in self.calls)

    def first(self, point: str, event: str = "ends") -> dict[str, Any] | None:
        """Return the first call of a point."""
        found = (one for one in self.calls if (one["point"], one["event"]) == (point, event))
        return next(found, None)

    @property
    def freeze_seconds(self) -> float:
        """The longest time in seconds from a write freeze to the decision that it was for."""
        longest, began_at = 0.0, float("inf")
        for one in self.calls:
            if one["event"] != "ends":
                continue
            if one["point"] == "freeze" or one["state"] == State.FROZEN.name:
                began_at = one["at"]
            elif one["point"] in ("owner", "state"):
                longest = max(longest, one["at"] - began_at)
        return longest


@dataclass
class ForumProbe:
    """A forum; `url` is the gateway's address."""

    workspace: Workspace
    folder: Path
    environment: dict[str, str]
    writes: SlowWrites
    url: str = ""
    programs: dict[str, Program] = field(default_factory=dict)

    @property
    def trace(self) -> Path:
        """The file with the calls of the present run of the mover."""
        return self.folder / "trace"

    def start_mover(self, *arguments: str, faults: str = "") -> "subprocess.Popen[str]":
        """Start the workspace's mover of posts."""
        self.trace.write_text("", encoding="utf-8")
        with (self.folder / "mover.log").open("wb") as output:
            return subprocess.Popen(
                [sys.executable, "-m", "labs.mover", *arguments],
                cwd=self.workspace.folder,
                env=self.environment | {"FAULTS": faults, "TRACE": str(self.trace)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
            )

    def finish_mover(self, mover: "subprocess.Popen[str]", seconds: float) -> MoverRun:
        """Wait for the end of the mover.

        Raises:
            StepFailed: its code ended with an error.
            CheckNotRun: it does not start, or takes longer than `seconds`.
        """
        try:
            code = mover.wait(seconds)
        except subprocess.TimeoutExpired as error:
            msg = f"the mover did not end within {seconds:g} s:\n{last_lines(self._output())}"
            raise CheckNotRun(msg) from error
        finally:
            mover.kill()
            mover.wait()
        run = MoverRun(code, self._output(), self.calls())
        self._fail_with_error(run.output)
        return run

    def move(self, *arguments: str, faults: str = "") -> MoverRun:
        """Run the workspace's mover of posts to its end."""
        return self.finish_mover(self.start_mover(*arguments, faults=faults), _MOVER_SECONDS)

    def phases(self, *names: str) -> None:
        """Run phases of an extraction that have to succeed."""
        run = self.move("extract", "--phases", ",".join(names))
        if run.code:
            self.fail_stopped(run, f"the phases {', '.join(names)} of an extraction")

    def fail_stopped(self, run: MoverRun, asked: str, where: str = "") -> NoReturn:
        """Fail because the mover stopped, although nothing is wrong."""
        fail(
            "stopped",
            asked=asked,
            got=last_lines(run.output),
            expected="exit code 0: both sides are as they should be",
            where=where,
            why="A mover that stops for no reason will be run with its checks turned off.",
            page=PAGE,
        )

    def expect_moved(self, run: MoverRun, owner: str, asked: str, where: str) -> None:
        """Fail with the mover's own words unless posts have got a new owner.

        Raises:
            CheckInconclusive: the machine was too slow for a write freeze.
        """
        if self.owner() == owner:
            return
        output = last_lines(run.output)
        if run.freeze_seconds >= FREEZE_SECONDS or _NO_DATABASE in output:
            msg = f"the machine was too slow for a write freeze:\n{output}"
            raise CheckInconclusive(msg)
        fail(
            "not-moved",
            asked=asked,
            got=f"posts still belong to {_OWNERS[self.owner()]}; exit code {run.code}, and the"
            f" mover's last lines are:\n{output}",
            expected=f"posts belong to {_OWNERS[owner]}",
            where=where,
            why="The old owner continues, so nothing is lost. The mover stopped before it changed"
            " the owner, and its last lines say why.",
            page=PAGE,
        )

    def show_status(self) -> str:
        """Return the status of posts, or the error with which `make status` ends."""
        mover = self.start_mover("status")
        try:
            mover.wait(_MOVER_SECONDS)
        except subprocess.TimeoutExpired as error:
            msg = "the status was not shown in time"
            raise CheckNotRun(msg) from error
        finally:
            mover.kill()
            mover.wait()
        output = self._output()
        raised = find_last_error(output, self.workspace.folder)
        lines = [line for line in output.splitlines() if "owned by" in line and "posts" in line]
        return f"{raised.text} at {raised.where}" if raised else "".join(lines)

    def _output(self) -> str:
        return (self.folder / "mover.log").read_text(encoding="utf-8", errors="replace")

    def _fail_with_error(self, output: str) -> None:
        fail_if_unwritten(output, self.workspace.folder, PAGE)
        error = find_last_error(output, self.workspace.folder)
        if error is None:
            return
        if error.text.startswith(("SyntaxError", "IndentationError", "ImportError")):
            raise CheckNotRun(output)
        fail(
            "error",
            asked="a move of posts while people write",
            got=error.text,
            expected="no error",
            where=error.where,
            why="A mover that ends with an error leaves the move unfinished, its reason in a log.",
            page=PAGE,
        )

    def expect_success(self, unexpected: list[str]) -> None:
        """Fail if a component refused a write for a reason of its own."""
        for program in self.programs.values() if unexpected else ():
            self._fail_with_error(program.read_log())
        if unexpected:
            fail(
                "refused",
                asked="posts, edits and deletions while posts move",
                got=first_of(unexpected),
                expected="a success, or a 503 while the owner changes",
                why="A person's own post is suddenly unknown: the side that responds lacks it.",
                page=PAGE,
            )

    def calls(self) -> list[dict[str, Any]]:
        """Return the calls of the mover so far."""
        whole = self.trace.read_text(encoding="utf-8").rpartition("\n")[0]
        return [json.loads(line) for line in whole.splitlines()]

    def wait_for_call(
        self, mover: "subprocess.Popen[str]", point: str, event: str = "begins"
    ) -> None:
        """Wait until the mover gets to a point, or ends."""
        while mover.poll() is None:
            if any((one["point"], one["event"]) == (point, event) for one in self.calls()):
                return
            time.sleep(0.01)

    def stop(self, name: str) -> None:
        """Stop a program, as a deployment that fails."""
        self.programs[name].process.terminate()
        self.programs[name].process.wait()

    def service_posts(self) -> dict[str, dict[str, Any]]:
        """Return the posts in the service's table, by id."""
        with closing(self.tables()) as tables:
            pages = tables.get_paginator("scan").paginate(
                TableName=f"{PREFIX}posts", ConsistentRead=True
            )
            items = [item for page in pages for item in page["Items"]]
        decoded = map(attribute_values.deserialize, items)
        return {item["id"]: item for item in decoded}

    def put_copy(self, item: dict[str, Any]) -> None:
        """Store an item in the service's tables of posts, as no program would."""
        location = {"id": item["id"], "thread_id": item["thread_id"]}
        with closing(self.tables()) as tables:
            for table, stored in (("posts", item), ("posts-places", location)):
                encoded = attribute_values.serialize(stored)
                tables.put_item(TableName=f"{PREFIX}{table}", Item=encoded)

    def delete_copy(self, item: dict[str, Any]) -> None:
        """Delete an item from the service's tables of posts."""
        with closing(self.tables()) as tables:
            for table, names in (("posts", ("thread_id", "id")), ("posts-places", ("id",))):
                key = attribute_values.serialize({name: item[name] for name in names})
                tables.delete_item(TableName=f"{PREFIX}{table}", Key=key)

    def monolith_posts(self) -> dict[str, dict[str, Any]]:
        """Return the posts in the monolith's database, by id."""
        with closing(sqlite3.connect(self.folder / "forum.sqlite")) as database:
            rows = database.execute("SELECT id, body, version FROM posts").fetchall()
        return {one: {"body": body, "version": version} for one, body, version in rows}

    def count_items(self, table: str) -> int:
        """Return the number of items in a table of the service."""
        with closing(self.tables()) as tables:
            return int(tables.scan(TableName=f"{PREFIX}{table}", Select="COUNT")["Count"])

    def count_uncopied(self) -> int:
        """Return the number of changes of posts that are still to be copied."""
        with closing(sqlite3.connect(self.folder / "forum.sqlite")) as database:
            query = "SELECT count(*) FROM outbox WHERE to_copy = 'posts'"
            [count] = database.execute(query).fetchone()
        return int(count)

    def ownership(self) -> OwnershipStore:
        """Return the service's ownership of posts."""
        return OwnershipStore(Database(self.tables(), PREFIX), "posts")

    def owner_accepts_writes(self) -> bool:
        """Return whether posts are not frozen in the monolith's database."""
        return self._read_domain("state") != FROZEN

    def owner(self) -> str:
        """Return the owner of posts according to the monolith's database."""
        return self._read_domain("owner")

    def phase(self) -> str:
        """Return the phase at which a mover of posts would resume."""
        return self._read_domain("phase")

    def _read_domain(self, column: str) -> str:
        with closing(sqlite3.connect(self.folder / "forum.sqlite")) as database:
            query = f"SELECT {column} FROM domains WHERE domain = 'posts'"  # noqa: S608 - own names
            [value] = database.execute(query).fetchone()
        return str(value)

    def add_versions(self, count: int) -> str:
        """Change the version of the first post in the monolith, unrecorded; return its id."""
        with closing(sqlite3.connect(self.folder / "forum.sqlite")) as database, database:
            [post_id] = database.execute("SELECT min(id) FROM posts").fetchone()
            query = "UPDATE posts SET version = version + ? WHERE id = ?"
            database.execute(query, (count, post_id))
        return str(post_id)

    def tables(self) -> Any:
        """Return a client of the service's DynamoDB, without delays."""
        return boto3.client("dynamodb", endpoint_url=f"http://{HOST}:{self.writes.target}")


@contextmanager
def run_databases(workspace: Workspace, posts: int) -> Iterator[ForumProbe]:
    """Run the databases of a forum with some posts: SQLite, and DynamoDB with empty tables."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        datastore = stack.enter_context(run_datastore())
        session_keys.ensure_keys(folder / "keys")
        url = f"sqlite:///{folder / 'forum.sqlite'}"
        create_forum(url, posts)
        (folder / "stage.json").write_text("[]", encoding="utf-8")
        environment = workspace.environment() | local_environment.AWS
        environment |= {
            "AWS_ENDPOINT_URL_DYNAMODB": f"http://{HOST}:{datastore.port}",
            "DATABASE_URL": url,
            "TABLE_PREFIX": PREFIX,
            "SECRETS_DIR": str(folder / "keys"),
            "FORUM_FOLDER": str(folder),
            # Only a forum with programs has a gateway.
            "GATEWAY_URL": local_environment.NOBODY,
        }
        create_tables(workspace, "posts", environment)
        yield ForumProbe(workspace, folder, environment, datastore)


@contextmanager
def run_forum(workspace: Workspace, posts: int) -> Iterator[ForumProbe]:
    """Run a forum with some posts: the monolith owns them, and the service may get them.

    Raises:
        CheckNotRun: a program does not start; the message is its own.
        CheckInconclusive: one did not get ready in time.
    """
    with run_databases(workspace, posts) as forum, ExitStack() as stack:
        ports = {name: free_port() for name in ("gateway", MONOLITH, "posts")}
        urls = {name: f"http://{HOST}:{port}" for name, port in ports.items()}
        forum.url = urls["gateway"]
        forum.environment |= {
            "GATEWAY_URL": urls["gateway"],
            "POSTS_URL": urls["posts"],
            "THREADS_URL": urls[MONOLITH],
            "EXTRACTED": "",
            "LIVE_EXTRACTION": "true",
            "WEB_CONCURRENCY": "1",
            "DRAIN_SECONDS": "0",
            "LOG_FORMAT": "text",
            **WITHOUT_LIMITS,
        }
        applications = {MONOLITH: "labs.paced_forum:app", "posts": "posts.wsgi:app"}
        commands = {
            name: server_command(f"{HOST}:{ports[name]}", application)
            for name, application in applications.items()
        }
        # Users and threads stay where they are.
        addresses = {name: ports.get(name, ports[MONOLITH]) for name in COMPONENTS}
        commands["gateway"] = [
            *(sys.executable, "-m", "infra.gateway.process", "--extracted", ""),
            *(f"--address={name}={HOST}:{port}" for name, port in addresses.items()),
            *("--port", str(ports["gateway"]), "--output", str(forum.folder / "envoy.json")),
            *("--routes-file", str(forum.folder / "routes.json"), "--run"),
        ]
        for name, command in commands.items():
            log = forum.folder / f"{name}.log"
            running = run_program(command, log, workspace.folder, forum.environment)
            forum.programs[name] = stack.enter_context(running)
        for name, path in _READY.items():
            forum.programs[name].wait_until_ready(urls[name] + path)
        try:
            yield forum
        finally:
            # All at once, since each takes a moment to end.
            for program in forum.programs.values():
                program.process.terminate()


class Writer:
    """A person who writes, edits and deletes posts in a thread of their own, one after another.

    A request that gets no response, or a 503, is repeated with the same Idempotency-Key.
    """

    def __init__(self, url: str, number: int) -> None:
        """Register a person, and open their thread."""
        self.name = f"writer-{number}"
        self.posts: list[Post] = []
        self._longest = 0.0
        self._waits_since: float | None = None
        self.unexpected: list[str] = []
        """Responses that are neither a success nor a 503."""

        self._url = url
        self._rng = random.Random(number)  # noqa: S311 - repeatable choices
        self._http = urllib3.PoolManager(retries=False, timeout=_TIMEOUT)
        self._headers = dict[str, str]()
        self._count = 0
        self._written: list[tuple[Mapping[str, str], Mapping[str, str], str]] = []
        self._stop = Event()
        account = {"username": self.name, "password": _PASSWORD}
        self._send("POST", "/api/users", account)
        session = self._send("POST", "/api/users/sessions", account)
        self._headers["Authorization"] = f"Bearer {session['token']}"
        self.thread_id = self._send("POST", "/api/threads", {"title": self.name})["id"]

    @property
    def longest_wait(self) -> float:
        """The longest time in seconds that one write took, or takes."""
        since = self._waits_since
        return max(self._longest, time.monotonic() - since if since else 0.0)

    def write(self, pause: float = 0.0) -> Post | None:
        """Write a post; its first word is unique. Its transaction begins after a pause."""
        self._count += 1
        marker = f"{self.name}-{self._count}"
        new = {"thread_id": self.thread_id, "body": f"{marker} first"}
        key = {"Idempotency-Key": f"key-of-{marker}-{self._rng.getrandbits(64):x}"}
        if pause:
            key[PAUSE] = str(pause)
        made = self._repeat("POST", "/api/posts", new, key)
        if made is None:
            return None
        post = Post(made["id"], self.thread_id, made["body"])
        self.posts.append(post)
        self._written.append((new, key, post.id))
        return post

    def repeat(self, count: int) -> list[str]:
        """Send the last new posts once more, with their keys; return what is doubled now."""
        doubled = []
        for new, key, post_id in self._written[-count:]:
            made = self._repeat("POST", "/api/posts", new, key)
            if made and made["id"] != post_id:
                doubled.append(f"{post_id} and {made['id']}")
        return doubled

    def write_until(self, stop: Event, think: float) -> None:
        """Act again and again until a person stops; a write that is refused then is given up."""
        self._stop = stop
        while not stop.wait(think):
            self.act()
        self._stop = Event()

    def edit(self, post: Post) -> None:
        """Change the text of a post."""
        body = f"{post.body.partition(' ')[0]} edited {self._rng.getrandbits(32):x}"
        post.certain = False
        if self._repeat("PATCH", f"/api/posts/{post.id}", {"body": body}):
            post.body, post.version, post.certain = body, post.version + 1, True

    def delete(self, post: Post) -> None:
        """Delete a post."""
        post.certain = False
        if self._repeat("DELETE", f"/api/posts/{post.id}") is not None:
            post.body, post.version, post.deleted, post.certain = "", post.version + 1, True, True

    def act(self) -> None:
        """Write a post, and now and then edit or delete an earlier one."""
        self.write()
        kept = [post for post in self.posts if not post.deleted]
        if kept and self._rng.random() < 0.7:
            self.edit(self._rng.choice(kept))
        if kept and self._rng.random() < 0.1:
            self.delete(self._rng.choice(kept))

    def _repeat(
        self,
        method: str,
        path: str,
        body: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> dict[str, Any] | None:
        """Send a request until its response is no 503; None if it is no success either."""
        began = self._waits_since = time.monotonic()
        while True:
            sent = self._headers | dict(headers or {})
            response = self._http.request(method, self._url + path, json=body, headers=sent)
            if response.status == 503 and time.monotonic() - began < _WRITER_SECONDS:
                if self._stop.wait(0.1):
                    return None
                continue
            self._longest, self._waits_since = self.longest_wait, None
            if response.status < 300:
                return response.json() if response.data else {}
            self.unexpected.append(f"{method} {path}: {response.status}")
            return None

    def _send(self, method: str, path: str, body: Mapping[str, str]) -> dict[str, Any]:
        made = self._repeat(
            method, path, body, {"Idempotency-Key": self.name + path.replace("/", "-")}
        )
        if made is None:
            msg = f"{method} {path} failed: {self.unexpected}"
            raise CheckInconclusive(msg)
        return made

    def close(self) -> None:
        """Close the connections."""
        self._http.clear()


class Writers:
    """Some people; within `writing` they write at the same time."""

    def __init__(self, url: str, count: int) -> None:
        self.people = [Writer(url, number) for number in range(count)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        for one in self.people:
            one.close()

    def act(self) -> None:
        """Let each of them act once."""
        for one in self.people:
            one.act()

    @property
    def versions(self) -> int:
        """The number of acknowledged writes."""
        return sum(post.version for post in self.posts)

    @property
    def posts(self) -> list[Post]:
        """All acknowledged posts."""
        return [post for one in self.people for post in one.posts]

    @property
    def longest_wait(self) -> float:
        """The longest time in seconds that one write took, or takes."""
        return max(one.longest_wait for one in self.people)

    @property
    def unexpected(self) -> list[str]:
        """Responses that are neither a success nor a 503."""
        return [text for one in self.people for text in one.unexpected]

    def repeat(self, count: int) -> list[str]:
        """Send each writer's last new posts once more; return the posts that are doubled."""
        return [ids for one in self.people for ids in one.repeat(count)]

    @contextmanager
    def writing(self, think: float = 0.1) -> Iterator[None]:
        """Write during the block."""
        stop = Event()

        threads = [
            Thread(target=one.write_until, args=(stop, think), daemon=True) for one in self.people
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            stop.set()
            for thread in threads:
                thread.join()


def find_lost(posts: list[Post], found: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return what a side lacks of acknowledged posts: `id (what)` each."""
    lost = []
    for post in posts:
        stored = found.get(post.id)
        if stored is None:
            lost.append(f"{post.id} (missing)")
        elif post.certain and int(stored["version"]) < post.version:
            lost.append(f"{post.id} (version {stored['version']} of {post.version})")
        elif post.certain and stored["body"] != post.body:
            lost.append(f"{post.id} (another text)")
    return lost


def first_of(problems: list[str]) -> str:
    """Return the first problems as text, and how many more there are."""
    more = len(problems) - SHOWN
    return ", ".join(problems[:SHOWN]) + (f" and {more} more" if more > 0 else "")
