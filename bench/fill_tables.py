"""Brings the content into the tables of all three services, through the services' own stores."""

from typing import Any

import posts.bootstrap
import threads.bootstrap
import users.bootstrap
from bench.bulk import Bulk
from bench.content import Content, Person, Text, Topic
from bench.fill_sql import PASSWORD, Told
from chassis.auth.passwords import hash_password
from chassis.clock import format_timestamp
from chassis.messaging.events import Event
from posts import model as in_posts
from posts.event_handlers import EventHandlers as PostsReplicas
from posts.events import THREAD_CREATED, USER_REGISTERED
from threads import model as in_threads
from threads.dynamodb import tables as threads_tables
from threads.event_handlers import EventHandlers as ThreadsReplicas
from users import model as in_users
from users.ports import Account


def into_tables(client: Any, prefix: str, content: Content, told: Told) -> None:
    """Fill the tables: each service's own things, and its replicas of others' things."""
    bulk = Bulk(client, prefix)
    kept = hash_password(PASSWORD)
    accounts = users.bootstrap.build_store(bulk)
    topics, texts = threads.bootstrap.build_store(bulk), posts.bootstrap.build_store(bulk)
    to_threads = ThreadsReplicas(bulk, threads.bootstrap.build_outbox(bulk)).handlers()
    to_posts = PostsReplicas(bulk, posts.bootstrap.build_outbox(bulk)).handlers()
    for person in content.people:
        name = in_users.username_key(person.username)
        accounts.add(Account(_user(person), kept), name, None, {})
        event = _registered(person)
        to_threads[USER_REGISTERED](event)
        to_posts[USER_REGISTERED](event)
        told(1)
    for topic in content.topics:
        topics.add(_thread(topic), None, {})
        to_posts[THREAD_CREATED](_created(topic))
        told(1)
    for text in content.texts():
        texts.add(_post(text), None, {})
        bulk.add(threads_tables.TALLY.name, [_counted(text)])
        told(1)
    bulk.finish()


def _user(person: Person) -> in_users.User:
    return in_users.User(
        id=person.id,
        username=person.username,
        display_name=person.display_name,
        bio="",
        role=in_users.MEMBER,
        suspended=False,
        created_at=person.at,
        version=1,
    )


def _registered(person: Person) -> Event:
    state = {
        "username": person.username,
        "display_name": person.display_name,
        "bio": "",
        "role": in_users.MEMBER,
        "suspended": False,
        "created_at": format_timestamp(person.at),
    }
    return Event(person.id, USER_REGISTERED, "/users", person.id, 1, person.at, state)


def _thread(topic: Topic) -> in_threads.Thread:
    return in_threads.Thread(
        id=topic.id,
        title=topic.title,
        author=in_threads.Author(topic.author.id, topic.author.display_name),
        created_at=topic.at,
        last_activity_at=topic.active,
        post_count=topic.posts,
        locked=False,
        version=1,
    )


def _created(topic: Topic) -> Event:
    state = {"title": topic.title, "locked": False}
    return Event(topic.id, THREAD_CREATED, "/threads", topic.id, 1, topic.at, state)


def _post(text: Text) -> in_posts.Post:
    return in_posts.Post(
        id=text.id,
        thread_id=text.topic.id,
        author=in_posts.Author(text.author.id, text.author.display_name),
        body=text.body,
        html=text.html,
        created_at=text.at,
        edited_at=None,
        deleted=False,
        version=1,
    )


def _counted(text: Text) -> dict[str, Any]:
    """Give what the threads service keeps of a post that it counted."""
    return {
        "thread_id": text.topic.id,
        "post_id": text.id,
        "version": 1,
        "event_id": text.id,
        "deleted": False,
    }
