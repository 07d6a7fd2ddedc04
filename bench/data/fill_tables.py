"""Load the content into the tables of all three services, through their own stores."""

from typing import Any

from bench.data.bulk import Bulk
from bench.data.content import Content, Person, Text, Topic
from bench.data.fill_sql import PASSWORD, ReportProgress
from chassis.auth.passwords import hash_password
from chassis.clock import utc_now, uuid7
from chassis.idempotency.store import IdempotencyStore
from chassis.messaging.events import Event
from infra.domains import SERVICES
from posts.dynamodb.store import DynamoStore as PostStore
from posts.event_handlers import EventHandlers as PostEventHandlers
from posts.model import Post
from threads import events as threads_events
from threads.dynamodb import tables as threads_tables
from threads.dynamodb.store import DynamoStore as ThreadStore
from threads.event_handlers import EventHandlers as ThreadEventHandlers
from threads.model import Thread
from users import events as users_events
from users.dynamodb.store import DynamoStore as UserStore
from users.model import MEMBER, User, username_key
from users.ports import Account


def into_tables(client: Any, prefix: str, content: Content, progress: ReportProgress) -> None:
    """Fill the tables: each service's own content, and its replicas of the other domains."""
    bulk = Bulk(client, prefix)
    outboxes = {name: one.outbox(bulk, utc_now, uuid7) for name, one in SERVICES.items()}
    responses = IdempotencyStore(bulk, "none", utc_now)
    users = UserStore(bulk, outboxes["users"], responses)
    threads = ThreadStore(bulk, outboxes["threads"], responses)
    posts = PostStore(bulk, outboxes["posts"], responses)
    to_threads = ThreadEventHandlers(bulk, outboxes["threads"]).handlers()
    to_posts = PostEventHandlers(bulk, outboxes["posts"]).handlers()
    password_hash = hash_password(PASSWORD)
    for person in content.people:
        user = _user(person)
        users.add(Account(user, password_hash), username_key(user.username), None, {})
        data = users_events.event_data(user)
        event = Event(user.id, users_events.REGISTERED, "/users", user.id, 1, person.at, data)
        to_threads[event.type](event)
        to_posts[event.type](event)
        progress(1)
    for topic in content.topics:
        thread = _thread(topic)
        threads.add(thread, None, {})
        data = threads_events.event_data(thread)
        event = Event(thread.id, threads_events.CREATED, "/threads", thread.id, 1, topic.at, data)
        to_posts[event.type](event)
        progress(1)
    for text in content.texts():
        posts.add(_post(text), None, {})
        bulk.add(threads_tables.TALLY.name, [_counted(text)])
        progress(1)
    bulk.finish()


def _user(person: Person) -> User:
    return User(
        id=person.id,
        username=person.username,
        display_name=person.display_name,
        role=MEMBER,
        suspended=False,
        created_at=person.at,
        version=1,
    )


def _thread(topic: Topic) -> Thread:
    return Thread(
        id=topic.id,
        title=topic.title,
        author_id=topic.author.id,
        author_name=topic.author.display_name,
        created_at=topic.at,
        last_activity_at=topic.active,
        post_count=topic.posts,
        locked=False,
        version=1,
    )


def _post(text: Text) -> Post:
    return Post(
        id=text.id,
        thread_id=text.topic.id,
        author_id=text.author.id,
        author_name=text.author.display_name,
        body=text.body,
        html=text.html,
        created_at=text.at,
        edited_at=None,
        deleted=False,
        version=1,
    )


def _counted(text: Text) -> dict[str, Any]:
    """Return the tally item of a counted post in the threads service."""
    return {
        "thread_id": text.topic.id,
        "post_id": text.id,
        "version": 1,
        "event_id": text.id,
        "deleted": False,
    }
