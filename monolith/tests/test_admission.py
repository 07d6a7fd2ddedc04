"""Permissions to write with replicas of people or threads."""

from collections import Counter

import pytest
from sqlalchemy import select

from chassis.clock import format_timestamp, utc_now, uuid7
from chassis.errors import NotFound, Unavailable
from chassis.messaging.events import Event
from forum.bootstrap import Bootstrap
from forum.threads.admission import ReplicaThreadAdmission
from forum.threads.models import ThreadRow
from forum.threads.persistence import insert_placeholder
from forum.threads.state import Thread
from forum.users.models import UserRow
from forum.users.state import Author
from tests.support.people import SESSION_COOKIE
from tests.support.service import RACERS, race

NOW = utc_now()


@pytest.fixture
def settings(make_settings):
    return make_settings(
        extracted="users,threads", session_private_key="", threads_url="http://127.0.0.1:9"
    )


@pytest.fixture
def parts(settings):
    parts = Bootstrap(settings)
    yield parts
    parts.database.engine.dispose()


@pytest.fixture
def apply_event(parts):
    """Return a function that applies an event like the worker."""

    def apply_event(kind, subject, version, **data):
        data.setdefault("created_at", format_timestamp(NOW))
        parts.event_handlers()[kind](Event(uuid7(), kind, "/test", subject, version, NOW, data))

    return apply_event


@pytest.fixture
def person(apply_event):
    def person(who, version, name="Ada", role="member", suspended=False, kind="user.updated"):
        state = {"username": "ada", "display_name": name, "bio": "", "role": role}
        apply_event(kind, who, version, **state, suspended=suspended)

    return person


@pytest.fixture
def thread(apply_event):
    """Apply the event of another user's thread."""

    def thread(thread_id="", version=1, locked=False):
        thread_id = thread_id or uuid7()
        kind = "thread.updated" if version > 1 else "thread.created"
        apply_event(kind, thread_id, version, title="Told", author_id="starter", locked=locked)
        return thread_id

    return thread


@pytest.fixture
def write(client):
    def write(person, thread, racer=None):
        body = {"thread_id": thread, "body": "Words"}
        return (racer or client).post("/api/posts", json=body, headers=person.headers)

    return write


def test_newest_name_is_shown_despite_an_older_session(client, sign_in, person, thread, write):
    ada, known = sign_in("Old"), thread()
    person(ada.id, 2, name="New")
    made = write(ada, known)
    assert made.json["author"] == {"id": ada.id, "display_name": "New"}
    person(ada.id, 3, name="Newer")
    assert client.get(f"/api/posts/{made.json['id']}").json["author"]["display_name"] == "Newer"


def test_session_newer_than_the_replica_is_used(sign_in, person, thread, write):
    ada = sign_in("Old")
    person(ada.id, 1, name="Old")
    later = sign_in("New", person=ada, version=2)
    assert write(later, thread()).json["author"]["display_name"] == "New"


def test_suspended_user_is_refused_until_reinstated(sign_in, person, thread, write):
    ada, known = sign_in("Ada"), thread()
    assert write(ada, known).status_code == 201
    person(ada.id, 2, suspended=True, kind="user.suspended")
    assert write(ada, known).json["type"] == "urn:problem:suspended"
    person(ada.id, 3, kind="user.suspended")
    assert write(ada, known).status_code == 201


def test_suspended_session_is_refused_before_any_event(sign_in, person, thread, write):
    ada, known = sign_in("Ada", suspended=True, version=2), thread()
    person(ada.id, 1)
    assert write(ada, known).json["type"] == "urn:problem:suspended"
    person(ada.id, 3, kind="user.suspended")
    assert write(ada, known).status_code == 201


def test_erased_user_is_unauthenticated(sign_in, apply_event, thread, write):
    ada, known = sign_in("Ada"), thread()
    apply_event("user.erased", ada.id, 2)
    assert write(ada, known).status_code == 401


def test_session_from_before_the_end_of_all_sessions_is_refused(
    client, sign_in, apply_event, thread, write
):
    known, old = thread(), sign_in("Ada", version=2)
    assert write(old, known).status_code == 201
    state = {"username": "ada", "display_name": "Ada", "bio": "", "role": "member"}
    apply_event("user.updated", old.id, 3, **state, suspended=False, sessions_valid_from=3)
    assert write(old, known).status_code == 401
    client.set_cookie(SESSION_COOKIE, old.token)
    assert "Sign out" not in client.get("/register").text
    new = sign_in("Ada", person=old, version=3)
    assert write(new, known).status_code == 201
    client.set_cookie(SESSION_COOKIE, new.token)
    assert "Sign out" in client.get("/register").text


def test_role_from_an_event_applies(client, sign_in, person, thread, write):
    ada, mo = sign_in("Ada"), sign_in("Mo")
    post = write(ada, thread()).json["id"]
    path = f"/api/posts/{post}"
    assert client.delete(path, headers=mo.headers).status_code == 403
    person(mo.id, 2, role="moderator")
    assert client.delete(path, headers=mo.headers).status_code == 204


def test_event_completes_a_row_that_a_session_created(
    database, sign_in, person, apply_event, thread, write
):
    ada = sign_in("Ada")
    write(ada, thread())
    state = {"username": "ada", "display_name": "Ada", "bio": "Bio", "role": "member"}
    early = "2020-01-01T00:00:00.000Z"
    apply_event("user.registered", ada.id, 1, **state, suspended=False, created_at=early)
    with database.reading() as session:
        row = session.get_one(UserRow, ada.id)
        assert (row.bio, format_timestamp(row.created_at)) == ("Bio", early)


def test_known_thread_takes_posts_without_threads(client, sign_in, thread, write):
    ada, known = sign_in("Ada"), thread()
    assert write(ada, known).status_code == 201
    assert len(client.get(f"/api/posts/in-thread/{known}").json["items"]) == 1
    assert write(ada, uuid7()).status_code == 503


def test_locked_or_deleted_thread_takes_no_posts(client, sign_in, apply_event, thread, write):
    ada, known = sign_in("Ada"), thread()
    post = write(ada, known).json["id"]
    thread(known, version=2, locked=True)
    assert write(ada, known).json["type"] == "urn:problem:thread-locked"
    thread(known, version=3)
    assert write(ada, known).status_code == 201
    apply_event("thread.deleted", known, 4, author_id="starter")
    assert write(ada, known).status_code == 404
    assert client.get(f"/api/posts/{post}").status_code == 404
    assert client.get(f"/api/posts/in-thread/{known}").status_code == 404


def test_replies_are_counted_in_the_replica(database, sign_in, thread, write):
    ada, known = sign_in("Ada"), thread()
    written = [write(ada, known).json for _ in range(3)]
    with database.reading() as session:
        row = session.get_one(ThreadRow, known)
        assert row.post_count == 3
        assert format_timestamp(row.last_activity_at) == written[-1]["created_at"]


def test_replies_racing_with_a_lock_leave_none_after_it(app, sign_in, thread, write):
    ada, known = sign_in("Ada"), thread()

    def act(racer, number):
        if number == RACERS // 2:
            thread(known, version=2, locked=True)
            return racer.get("/healthz")
        return write(ada, known, racer)

    answers = race(app, act)
    statuses = Counter(answer.status_code for answer in answers)
    assert statuses[201] + statuses[409] == RACERS - 1
    with app.extensions["database"].reading() as session:
        assert session.get_one(ThreadRow, known).post_count == statuses[201]
    assert write(ada, known).status_code == 409


class StubThreads:
    """A fake threads service with one thread."""

    def __init__(self, thread):
        self.thread = thread
        self.calls = 0

    def get(self, thread_id):
        self.calls += 1
        if self.thread is None:
            raise NotFound("Thread not found.")
        return self.thread


@pytest.fixture
def remote_thread():
    return Thread(
        id=uuid7(),
        title="Learned words",
        author=Author("starter", "Sue"),
        created_at=NOW,
        last_activity_at=NOW,
        post_count=7,
        locked=False,
        version=3,
    )


@pytest.fixture
def admission_with(parts):
    """Return the admission with threads owned by a service."""
    return lambda service: ReplicaThreadAdmission(parts.database, service, parts.thread_replica)


def test_unknown_thread_is_requested_once_and_kept(parts, admission_with, remote_thread):
    service = StubThreads(remote_thread)
    admission = admission_with(service)
    for _ in range(2):
        admission.require_known(remote_thread.id)
    assert service.calls == 1
    with parts.database.writing() as session:
        admission.admit_post(session, remote_thread.id)
        row = session.get_one(ThreadRow, remote_thread.id)
        assert (row.title, row.version, row.post_count) == ("Learned words", 3, 0)
        assert row.author.display_name == "Sue"


def test_thread_known_by_its_posts_only_is_requested(parts, admission_with, remote_thread):
    service = StubThreads(remote_thread)
    with parts.database.writing() as session:
        parts.actors.current().ensure_user(session, "poster", NOW)
        insert_placeholder(session, remote_thread.id, "poster", NOW)
    admission_with(service).require_known(remote_thread.id)
    assert service.calls == 1
    with parts.database.reading() as session:
        titles = session.scalars(select(ThreadRow.title).where(ThreadRow.deleted.is_(False)))
        assert titles.all() == ["Learned words"]


def test_thread_unknown_to_its_owner_is_not_found(parts, admission_with):
    with pytest.raises(NotFound):
        admission_with(StubThreads(None)).require_known(uuid7())
    with pytest.raises(Unavailable):
        parts.thread_admission.current().require_known(uuid7())
