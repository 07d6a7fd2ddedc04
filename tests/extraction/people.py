"""Users who read back what they wrote: they must never see less than was acknowledged."""

import random
import threading
import time
from collections.abc import Callable

from tests.faults.client import Client, Records
from tests.faults.ledger import Ledger
from tests.faults.load import RECENT, Load, Member, new_post

# How the page of a thread puts it; `tests/e2e/test_degraded.py` looks at the whole of that page.
POSTS_ARE_DOWN = "<h2>Posts are temporarily unavailable</h2>"


class Witness(Member):
    """A member who reads the last acknowledged writes repeatedly."""

    stale: list[str]

    def act(self) -> None:
        """Do one action, often followed by a check of own writes."""
        super().act()
        if self.rng.random() < 0.5:
            self.look_back()

    def actions(self) -> list[tuple[int, Callable[[], None]]]:
        """Return the additional actions of this suite."""
        return [*super().actions(), (3, self.repeat_a_post), (2, self.sign_in_again)]

    def look_back(self) -> None:
        """Read an own post, thread or profile; record results that are older than acknowledged."""
        self.rng.choice([self.look_at_post, self.look_at_thread, self.look_at_oneself])()

    def look_at_post(self) -> None:
        """Read an own post: from the API, in its thread's list, or on its page."""
        if not self.own:
            return
        post = self.ledger.posts[self.rng.choice(self.own[-5:])]
        way = self.rng.choice(["post", "list", "page"])
        path = {
            "post": f"/api/posts/{post.id}",
            "list": f"/api/posts/in-thread/{post.thread_id}?order=desc&limit=100",
            "page": f"/threads/{post.thread_id}?at={post.id}",
        }[way]
        answer = self.client.ask("GET", path)
        if answer is None or answer.status_code >= 500:
            return
        # While posts are down, a page is its thread's head, and says so: it shows no older posts.
        if way == "page" and POSTS_ARE_DOWN in answer.text:
            return
        # The thread may have been deleted by its author in the meantime.
        if answer.status_code != 200 or post.body not in answer.text:
            self.stale.append(f"{path}: {answer.status_code}, without {post.body!r}")

    def look_at_thread(self) -> None:
        """Read a thread in which others write too."""
        thread = self.rng.choice(self.ledger.open_threads()[-RECENT:])
        answer = self.client.ask("GET", f"/api/threads/{thread.id}")
        if answer is not None and answer.status_code < 500 and answer.status_code != 200:
            self.stale.append(f"thread {thread.id}: {answer.status_code}")

    def look_at_oneself(self) -> None:
        """Read the own profile, and check the session."""
        answer = self.client.ask("GET", "/api/users/me")
        if answer is None or answer.status_code >= 500:
            return
        name = self.ledger.names[self.client.id]
        if answer.status_code != 200 or answer.json()["display_name"] != name:
            self.stale.append(f"me: {answer.status_code} {answer.text[:200]}, not {name!r}")

    def sign_in_again(self) -> None:
        """Open another session with the same password."""
        self.client.sign_in(self.client.name)

    def repeat_a_post(self) -> None:
        """Send a post twice with one key: it is written once, with the same response."""
        thread = self.rng.choice(self.ledger.open_threads()[-RECENT:])
        mark = f"mark{self.rng.getrandbits(64):016x}"
        json, headers = new_post(thread.id, mark)
        first = self.client.insist("POST", "/api/posts", json, headers)
        time.sleep(self.rng.uniform(0, 1.5))
        second = self.client.insist("POST", "/api/posts", json, headers)
        if (first.status_code, second.status_code) != (201, 201):
            self.stale.append(f"repeated: {first.status_code} {second.status_code}")
        elif first.json()["id"] != second.json()["id"]:
            self.stale.append(f"{mark} was written twice")
        else:
            self.note_post(first.json()["id"], thread.id, mark)


class Crowd(Load):
    """Witnesses who act concurrently."""

    def __init__(self, url: str, ledger: Ledger, seed: int, members: int) -> None:
        self.records = Records()
        self.ledger = ledger
        self.stop = threading.Event()
        self.failures = []
        self.stale: list[str] = []
        self.members = []
        for number in range(members):
            rng = random.Random(f"{seed} {number}")
            witness = Witness(Client(url, self.records, self.stop, rng), ledger)
            witness.stale = self.stale
            self.members.append(witness)
