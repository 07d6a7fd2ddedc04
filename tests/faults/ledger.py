"""The ledger of acknowledged writes, which must be visible once all events are processed."""

import threading
from dataclasses import dataclass, field

FORMER_MEMBER = "former member"


@dataclass
class WrittenPost:
    """An acknowledged post; `bodies` are its possible texts, usually only the last edit's."""

    id: str
    thread_id: str
    author_id: str
    mark: str
    body: str
    deleted: bool = False


@dataclass
class WrittenThread:
    """An acknowledged thread."""

    id: str
    title: str
    author_id: str
    deleted: bool = False


@dataclass
class Ledger:
    """Acknowledged writes of all clients; each thing is changed only by its author's client."""

    threads: dict[str, WrittenThread] = field(default_factory=dict)
    posts: dict[str, WrittenPost] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    """The display name of each person, by id; an erased one has that of all former members."""

    earlier_names: dict[str, set[str]] = field(default_factory=dict)
    """All names that each person ever had, by id."""

    erased: set[str] = field(default_factory=set)

    writes: int = 0
    touched: set[str] = field(default_factory=set)
    """The threads in which something was written since they were last verified."""

    _lock: threading.Lock = field(default_factory=threading.Lock)

    def person(self, person_id: str, name: str) -> None:
        """Record a person's name."""
        with self._lock:
            self.names[person_id] = name
            self.earlier_names.setdefault(person_id, set()).add(name)
            self.writes += 1

    def erasure(self, person_id: str) -> None:
        """Record that a person was erased."""
        with self._lock:
            self.names[person_id] = FORMER_MEMBER
            self.erased.add(person_id)
            self.writes += 1

    def thread(self, thread: WrittenThread) -> None:
        """Record a new or changed thread."""
        with self._lock:
            self.threads[thread.id] = thread
            self.touched.add(thread.id)
            self.writes += 1

    def post(self, post: WrittenPost) -> None:
        """Record a new or changed post."""
        with self._lock:
            self.posts[post.id] = post
            self.touched.add(post.thread_id)
            self.writes += 1

    def open_threads(self) -> list[WrittenThread]:
        """Return the open threads."""
        with self._lock:
            return [thread for thread in self.threads.values() if not thread.deleted]

    def take_touched(self) -> list[WrittenThread]:
        """Return the threads to verify, and reset the list."""
        with self._lock:
            taken, self.touched = self.touched, set()
            return [self.threads[thread_id] for thread_id in sorted(taken)]

    def posts_in(self, thread_id: str) -> list[WrittenPost]:
        """Return the acknowledged posts of a thread."""
        with self._lock:
            return [post for post in self.posts.values() if post.thread_id == thread_id]
