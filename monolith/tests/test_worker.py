"""The worker process, with a real bus and a real database."""

import os
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest
from sqlalchemy import select

from chassis.clock import utc_now
from chassis.messaging.subscriptions import Subscription
from forum.bootstrap import Bootstrap
from forum.commands import replay, worker
from forum.domains import subscription
from forum.posts.models import PostRow
from forum.threads.models import ThreadRow
from forum.users.models import UserRow
from monolith.tests.support.event_histories import happen
from tests.support.exchange import assert_requires_bus
from tests.support.people import SECRET_KEY

DOMAINS = "users,threads,posts"
PATIENCE = 20  # seconds


@pytest.fixture
def places(bus):
    users = Subscription("users", ("user.forgotten",))
    return bus.provision([subscription(frozenset(DOMAINS.split(","))), users])


@pytest.fixture
def environment(places, url, session_keys):
    monolith = places["monolith"]
    return os.environ | {
        "DATABASE_URL": url,
        "EXTRACTED": DOMAINS,
        "SECRET_KEY": SECRET_KEY,
        "SESSION_PUBLIC_KEYS": session_keys.public,
        "EVENTS_TOPIC_ARN": monolith.topic_arn,
        "EVENTS_QUEUE_URL": monolith.queue_url,
        "EVENTS_DEAD_LETTER_QUEUE_URL": monolith.dead_letter_queue_url,
        "EVENTS_WAIT_SECONDS": "1",
    }


@pytest.fixture
def parts(make_settings):
    parts = Bootstrap(make_settings(extracted=DOMAINS, session_private_key=""))
    yield parts
    parts.database.engine.dispose()


@contextmanager
def working(environment):
    """Run the worker; it must end successfully after a signal."""
    command = [sys.executable, "-m", "forum", "worker"]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE)
    try:
        yield process
        process.terminate()
        _, output = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, output.decode()
    finally:
        process.kill()
        process.wait()


def wait_for(condition):
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "nothing came of it in time"
        time.sleep(0.05)


def test_events_of_others_arrive_and_an_erasure_is_confirmed(bus, places, environment, parts):
    history = happen(3, people=12, threads=3, posts=8)
    newest = {event.subject: event.version for event in history.events}
    erased = {s for s, event in history.last("user").items() if event.type == "user.erased"}
    bus.publish(places["monolith"], *history.events)
    bus.send(places["monolith"], "not an event")
    confirmed = []

    def versions():
        with parts.database.reading() as session:
            return {
                row.id: row.version
                for model in (UserRow, ThreadRow, PostRow)
                for row in session.scalars(select(model))
            }

    def published():
        confirmed.extend(event.subject for event in bus.take_events(places["users"]))
        return set(confirmed) == erased

    with working(environment):
        wait_for(lambda: versions() == newest)
        wait_for(published)
        wait_for(lambda: parts.outbox.last_heartbeat() is not None)
        wait_for(lambda: parts.outbox.oldest_unpublished_at() is None)
    [(reason, body)] = bus.take_dead_letters(places["monolith"])
    assert body == "not an event"
    assert reason.startswith("malformed")
    assert (utc_now() - parts.outbox.last_heartbeat().at).total_seconds() < PATIENCE


def test_published_events_are_published_again_on_demand(bus, places, environment, parts):
    with parts.database.writing() as session:
        parts.recorder.record(session, "user.forgotten", "somebody", 2, {})
    with working(environment):
        wait_for(lambda: parts.outbox.oldest_unpublished_at() is None)
        [first] = bus.take_events(places["users"])
        replay = [sys.executable, "-m", "forum", "replay", "since", "10m"]
        done = subprocess.run(replay, env=environment, capture_output=True, text=True, check=True)
        assert "1 event " in done.stdout
        again = []
        wait_for(lambda: again.extend(bus.take_events(places["users"])) or again)
    assert again == [first]


def test_worker_without_extracted_domains_exits_with_a_reason(environment, session_keys):
    alone = environment | {"EXTRACTED": "", "SESSION_PRIVATE_KEY": session_keys.private}
    command = [sys.executable, "-m", "forum", "worker"]
    done = subprocess.run(command, env=alone, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "No domain is extracted" in done.stderr


@pytest.mark.parametrize("module", [worker, replay])
def test_nothing_is_exchanged_without_a_bus(environment, module, monkeypatch, capsys):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert_requires_bus(lambda: module.main(["since", "10m"]), monkeypatch, capsys)
