"""What the forum has acknowledged, and so has to be true once everything has settled."""

import threading
from dataclasses import dataclass, field


@dataclass
class WrittenPost:
    """A post that was acknowledged; `bodies` are those it may have, the last edit's as a rule."""

    id: str
    thread_id: str
    author_id: str
    mark: str
    body: str
    deleted: bool = False


@dataclass
class WrittenThread:
    """A thread that was acknowledged."""

    id: str
    title: str
    author_id: str
    deleted: bool = False


@dataclass
class Ledger:
    """Acknowledged writes of all clients; each thing is changed by its author's client only."""

    threads: dict[str, WrittenThread] = field(default_factory=dict)
    posts: dict[str, WrittenPost] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    """The display name of each person, by id."""

    writes: int = 0
    touched: set[str] = field(default_factory=set)
    """The threads in which something was written since they were last verified."""

    _lock: threading.Lock = field(default_factory=threading.Lock)

    def person(self, person_id: str, name: str) -> None:
        """Note a person's name."""
        with self._lock:
            self.names[person_id] = name
            self.writes += 1

    def thread(self, thread: WrittenThread) -> None:
        """Note a new thread, or what became of one."""
        with self._lock:
            self.threads[thread.id] = thread
            self.touched.add(thread.id)
            self.writes += 1

    def post(self, post: WrittenPost) -> None:
        """Note a new post, or what became of one."""
        with self._lock:
            self.posts[post.id] = post
            self.touched.add(post.thread_id)
            self.writes += 1

    def open_threads(self) -> list[WrittenThread]:
        """Return the threads that take posts."""
        with self._lock:
            return [thread for thread in self.threads.values() if not thread.deleted]

    def take_touched(self) -> list[WrittenThread]:
        """Return the threads to verify, and begin anew."""
        with self._lock:
            taken, self.touched = self.touched, set()
            return [self.threads[thread_id] for thread_id in sorted(taken)]

    def posts_in(self, thread_id: str) -> list[WrittenPost]:
        """Return the acknowledged posts of a thread."""
        with self._lock:
            return [post for post in self.posts.values() if post.thread_id == thread_id]
