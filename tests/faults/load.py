"""A steady mixed load: people read, write, edit, delete, rename themselves, come and go."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from chassis.clock import uuid7
from tests.faults.client import Client, Records
from tests.faults.ledger import Ledger, WrittenPost, WrittenThread

THINK_SECONDS = 0.12
RECENT = 30
"""Number of newest threads that people write in: touched ones are verified after each fault."""
_EDITED = " (edited)"


class Member:
    """One user, who acts sequentially."""

    def __init__(self, client: Client, ledger: Ledger) -> None:
        self.client = client
        self.ledger = ledger
        self.rng = client.rng
        self.own: list[str] = []
        self.alone: list[WrittenThread] = []

    def start(self) -> None:
        """Open an account and a first thread."""
        name = self.client.register()
        self.ledger.person(self.client.id, name)
        self.open_thread()

    def act(self) -> None:
        """Do one random action."""
        weights, choices = zip(*self.actions(), strict=True)
        self.rng.choices(choices, weights)[0]()

    def actions(self) -> list[tuple[int, Callable[[], None]]]:
        """Return the actions with their weights."""
        return [
            (30, self.reply),
            (25, self.read),
            (10, self.edit),
            (6, self.open_thread),
            (5, self.delete_post),
            (3, self.rename),
            (2, self.delete_thread),
            (1, self.register_another),
            (1, self.erase_another),
        ]

    def read(self) -> None:
        """Read a page or a resource of the API."""
        thread = self.rng.choice(self.ledger.open_threads()[-RECENT:])
        paths = (
            "/",
            f"/threads/{thread.id}",
            f"/users/{self.client.id}",
            "/api/threads",
            f"/api/threads/{thread.id}",
            f"/api/posts/in-thread/{thread.id}?order=desc",
            f"/api/posts/by-user/{self.client.id}",
            f"/api/users/{self.client.id}",
        )
        self.client.ask("GET", self.rng.choice(paths))

    def open_thread(self) -> None:
        """Start a thread with a first post."""
        thread = self._thread()
        self.ledger.thread(thread)
        self._post(thread.id)

    def reply(self) -> None:
        """Write in any thread."""
        self._post(self.rng.choice(self.ledger.open_threads()[-RECENT:]).id)

    def edit(self) -> None:
        """Edit an own post."""
        if not self.own:
            return
        post = self.ledger.posts[self.rng.choice(self.own)]
        body = post.body + _EDITED if len(post.body) < 300 else post.mark
        self._change(f"/api/posts/{post.id}", "body", body)
        self.ledger.post(replace(post, body=body))

    def delete_post(self) -> None:
        """Delete an own post."""
        if len(self.own) < 3:
            return
        post = self.ledger.posts[self.own.pop(self.rng.randrange(len(self.own)))]
        answer = self.client.insist("DELETE", f"/api/posts/{post.id}")
        assert answer.status_code == 204, answer.text
        self.ledger.post(replace(post, deleted=True))

    def delete_thread(self) -> None:
        """Open an unlisted thread, and delete the previous one."""
        if self.alone:
            thread = self.alone.pop()
            answer = self.client.insist("DELETE", f"/api/threads/{thread.id}")
            # 404: the response was lost, but the deletion took place.
            assert answer.status_code in {204, 404}, answer.text
            self.ledger.thread(replace(thread, deleted=True))
        made = self._thread()
        self.client.insist("POST", "/api/posts", *new_post(made.id, "alone"))
        # Not in the ledger until it is deleted: nobody else may write in it.
        self.alone.append(made)

    def rename(self) -> None:
        """Change the display name."""
        name = f"Name {self.rng.getrandbits(40):x}"
        self._change(f"/api/users/{self.client.id}", "display_name", name)
        self.ledger.person(self.client.id, name)

    def register_another(self) -> Member:
        """Register a new user, who writes one post."""
        newcomer = Client(self.client.url, self.client.records, self.client.stop, self.rng)
        other = Member(newcomer, self.ledger)
        name = newcomer.register()
        self.ledger.person(newcomer.id, name)
        other.reply()
        return other

    def erase_another(self) -> None:
        """Register a new user, who writes, changes the name and erases the account."""
        other = self.register_another()
        other.open_thread()
        other.rename()
        other.reply()
        other.edit()
        other.client.erase()
        self.ledger.erasure(other.client.id)

    def _thread(self) -> WrittenThread:
        title = f"Thread {self.rng.getrandbits(48):x}"
        answer = self.client.insist(
            "POST", "/api/threads", {"title": title}, {"Idempotency-Key": uuid7()}
        )
        assert answer.status_code == 201, answer.text
        return WrittenThread(answer.json()["id"], title, self.client.id)

    def _post(self, thread_id: str) -> None:
        mark = f"mark{self.rng.getrandbits(64):016x}"
        answer = self.client.insist("POST", "/api/posts", *new_post(thread_id, mark))
        assert answer.status_code == 201, answer.text
        self.note_post(answer.json()["id"], thread_id, mark)

    def note_post(self, post_id: str, thread_id: str, mark: str) -> None:
        """Record an acknowledged post."""
        self.ledger.post(WrittenPost(post_id, thread_id, self.client.id, mark, mark))
        self.own.append(post_id)

    def _change(self, path: str, field: str, value: str) -> None:
        """Set a field; read it to find out about lost responses."""
        while True:
            seen = self.client.insist("GET", path)
            assert seen.status_code == 200, seen.text
            if seen.json()[field] == value:
                return
            headers = {"If-Match": seen.headers["ETag"]}
            answer = self.client.ask("PATCH", path, {field: value}, headers)
            if answer is not None and answer.status_code == 200:
                return
            if answer is not None and answer.status_code not in {412} and answer.status_code < 500:
                raise AssertionError(answer.text)
            time.sleep(0.1)


class Load:
    """Members who act concurrently at a steady rate, until they are stopped."""

    def __init__(self, url: str, ledger: Ledger, seed: int, members: int = 6) -> None:
        self.records = Records()
        self.ledger = ledger
        self.stop = threading.Event()
        self.failures: list[BaseException] = []
        self.members = [
            Member(Client(url, self.records, self.stop, random.Random(f"{seed} {number}")), ledger)
            for number in range(members)
        ]

    def prepare(self) -> None:
        """Register all members."""
        for member in self.members:
            member.start()

    @contextmanager
    def running(self, think: float = THINK_SECONDS) -> Iterator[Load]:
        """Run the load during the block; at its end, raise the errors of members."""
        self.stop.clear()
        threads = [
            threading.Thread(target=self._run, args=(member, think)) for member in self.members
        ]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            self.stop.set()
            for thread in threads:
                thread.join()
        if self.failures:
            raise self.failures[0]

    def _run(self, member: Member, think: float) -> None:
        try:
            while not self.stop.is_set():
                member.act()
                self.stop.wait(member.rng.uniform(0, 2 * think))
        except Exception as error:
            self.failures.append(error)
            self.stop.set()


def new_post(thread_id: str, body: str) -> tuple[dict[str, str], dict[str, str]]:
    return {"thread_id": thread_id, "body": body}, {"Idempotency-Key": uuid7()}
