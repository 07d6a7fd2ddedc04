"""The replica of posts, fed by events of the posts service."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from chassis import codec
from chassis.clock import Clock, clamp_to_present
from chassis.markdown import render
from chassis.messaging.events import Event, EventHandler, parse_data
from forum.database import Database
from forum.posts import events
from forum.posts.models import PostRow
from forum.posts.state import PostState
from forum.threads.admission import ThreadAdmission
from forum.users.actors import Actors


@dataclass(frozen=True)
class PostReplica:
    """Replica that stores posts and counts them in their threads, from events in any order.

    Rows are always written in the order user, thread, post, so that transactions don't deadlock.
    """

    database: Database
    actors: Callable[[], Actors]
    threads: Callable[[], ThreadAdmission]
    clock: Clock

    def handlers(self) -> Mapping[str, EventHandler]:
        """Return the handler of each event type."""
        return dict.fromkeys(events.ALL, self._apply)

    def store(self, post_id: str, version: int, state: PostState) -> None:
        """Store the state of a post, unless the stored version is as new."""
        # Outside of the transaction, where it would block other writes.
        html = render(state.body) if state.body else ""
        threads = self.threads()
        # A clock that is ahead would keep the thread on top of the list.
        activity = clamp_to_present(state.created_at, self.clock())
        with self.database.writing() as session:
            self.actors().ensure_user(session, state.author_id, state.created_at)
            threads.lock_thread(session, state.thread_id, state.author_id, activity)
            row = session.get(PostRow, post_id)
            if row and row.version >= version:
                return
            counted = int(row is not None and not row.deleted)
            # Not again with a later version: in the meantime, "now" would have become later.
            at = activity if row is None else None
            row = row or PostRow(id=post_id)
            for name, value in codec.attributes(state, PostState).items():
                setattr(row, name, value)
            row.html = html
            row.version = version
            session.add(row)
            session.flush()
            added = int(not state.deleted) - counted
            threads.update_counters(session, state.thread_id, added, at)

    def _apply(self, event: Event) -> None:
        self.store(event.subject, event.version, parse_data(PostState, event))
