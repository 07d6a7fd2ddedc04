"""Posts of the posts service, kept here as events tell of them, by version."""

from collections.abc import Mapping
from dataclasses import dataclass

from chassis.markdown import render
from chassis.messaging.events import Event, EventHandler, parse_data
from forum.database import Database
from forum.posts import events
from forum.posts.models import PostRow
from forum.threads.admission import ThreadAdmission
from forum.users.actors import Actors


@dataclass(frozen=True)
class PostReplica:
    """Keeps posts, and what threads show of them; what it is told may come in any order.

    A person's row is written first, then the thread's, then the post's, here as everywhere.
    """

    database: Database
    actors: Actors
    threads: ThreadAdmission

    def handlers(self) -> Mapping[str, EventHandler]:
        """Give what applies each type of event."""
        return dict.fromkeys(events.ALL, self._put)

    def _put(self, event: Event) -> None:
        post = parse_data(events.PostData, event)
        # Not within the transaction, where everybody else's writes would wait for it.
        html = render(post.body) if post.body else ""
        with self.database.writing() as session:
            self.actors.ensure_user(session, post.author_id, post.created_at)
            self.threads.lock_thread(session, post.thread_id, post.author_id, post.created_at)
            row = session.get(PostRow, event.subject)
            if row and row.version >= event.version:
                return
            counted = int(row is not None and not row.deleted)
            row = row or PostRow(id=event.subject)
            for name, value in post.model_dump().items():
                setattr(row, name, value)
            row.html = html
            row.version = event.version
            session.add(row)
            session.flush()
            more = int(not post.deleted) - counted
            self.threads.update_counters(session, post.thread_id, more, post.created_at)
