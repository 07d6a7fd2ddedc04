"""The service between the outbox and the bus: nothing lost, nothing applied twice."""

import os
import signal
import subprocess
import sys
import time

import pytest

from chassis.clock import utc_now, uuid7
from chassis.errors import Unavailable
from chassis.messaging.consumer import MAX_ATTEMPTS
from chassis.messaging.events import Event
from chassis.messaging.relay import Relay
from chassis.messaging.subscriptions import Subscription
from chassis.runtime import service_commands
from posts import events
from posts.bootstrap import PostsService
from posts.domain import DOMAIN
from posts.dynamodb.thread_replica import ThreadReplica
from posts.event_handlers import EventHandlers
from tests.support import schemas
from tests.support.event_factory import thread_event, user_event
from tests.support.exchange import assert_requires_bus, event_summaries, make_consumer, with_bus
from tests.support.service import walk

PATH = "/api/posts"
OTHERS = Subscription("others", (events.CREATED, events.UPDATED, events.DELETED, events.FORGOTTEN))


@pytest.fixture
def places(bus):
    return bus.provision([DOMAIN.subscription, OTHERS])


@pytest.fixture
def settings(settings, places):
    return with_bus(settings, places["posts"])


@pytest.fixture
def relay(bus, places, outbox):
    return Relay(outbox, bus.topic(places["posts"]))


@pytest.fixture
def consume(bus, places, settings, database, outbox):
    """Return a function that consumes the service's queue."""
    handlers = EventHandlers(database, outbox).handlers()
    return make_consumer(bus, places["posts"], handlers, PostsService(settings).check)


def test_events_of_a_post_reach_subscribers(client, bus, places, relay, write, ada, moderator):
    one, two = write("One"), write("Two 🧭")
    client.patch(f"{PATH}/{one}", json={"body": "Uno"}, headers=ada.headers)
    client.delete(f"{PATH}/{two}", headers=moderator.headers)
    assert relay.publish_pending() == 4
    found = bus.take_events(places["others"])
    for event in found:
        schemas.validate(event)
    assert event_summaries(found) == sorted(
        [
            (one, 1, "post.created"),
            (one, 2, "post.updated"),
            (two, 1, "post.created"),
            (two, 2, "post.deleted"),
        ]
    )
    assert relay.publish_pending() == 0
    assert bus.take_events(places["posts"]) == []


def test_longest_post_fits_on_the_bus(client, bus, places, relay, ada, thread):
    body = "𝕏" * 8_000 + "\n" * 7_999 + "x"
    data = f'{{"thread_id": "{thread}", "body": "{body}"}}'.replace("\n", "\\n").encode()
    made = client.post(PATH, data=data, headers=ada.headers, content_type="application/json")
    assert made.status_code == 201
    relay.publish_pending()
    [event] = bus.take_events(places["others"])
    assert event.data["body"] == body


def test_relay_killed_before_marking_publishes_again(bus, places, outbox, relay, write):
    write("Once")
    bus.topic(places["posts"]).publish(outbox.load_unpublished(100))
    assert relay.publish_pending() == 1
    first, second = bus.take_events(places["others"])
    assert first == second


def test_repeated_and_early_events_update_the_replicas(
    client, bus, places, consume, relay, write, ada, bob, thread
):
    gone = uuid7()
    post = write("Before")
    relay.publish_pending()
    bus.take_events(places["others"])
    erased = user_event(ada, 3, "user.erased")
    arriving = [thread_event(gone, 2, "thread.deleted"), thread_event(thread, 3), erased]
    arriving += [user_event(ada, 2), thread_event(thread, 2, locked=True), thread_event(gone)]
    bus.publish(places["others"], *arriving, *arriving)
    while bus.queue(places["posts"]).depth().queued:
        consume()
    shown = client.get(f"{PATH}/{post}").json
    assert shown["author"] == {"id": ada.id, "display_name": "former member"}
    write("After", bob)
    new = {"thread_id": gone, "body": "Hello"}
    assert client.post(PATH, json=new, headers=bob.headers).status_code == 404
    assert bus.take_dead_letters(places["posts"]) == []
    relay.publish_pending()
    [forgotten] = [one for one in bus.take_events(places["others"]) if one.type == events.FORGOTTEN]
    schemas.validate(forgotten)
    assert forgotten.source == "/posts"
    assert (forgotten.subject, forgotten.version) == (ada.id, erased.version)


def test_failed_purge_is_redelivered_until_it_is_done(
    client, bus, places, consume, thread, write, monkeypatch
):
    post = write("Before")
    bus.publish(places["others"], thread_event(thread, 2, "thread.deleted"))
    with monkeypatch.context() as broken:

        def fail(*_):
            detail = "The database is temporarily unavailable."
            raise Unavailable(detail)

        broken.setattr(EventHandlers, "_delete", fail)
        for _ in range(MAX_ATTEMPTS + 1):
            assert not consume()
    assert [one["id"] for one in walk(client, PATH)] == [post]
    assert client.get(f"{PATH}/{post}").status_code == 404
    assert consume()
    assert walk(client, PATH) == []
    assert bus.take_dead_letters(places["posts"]) == []


@pytest.mark.parametrize("body", ["x", "{}", '{"specversion": "1.0"}'])
def test_malformed_message_is_dead_lettered_at_once(bus, places, consume, body):
    bus.send(places["posts"], body)
    consume()
    [(reason, _)] = bus.take_dead_letters(places["posts"])
    assert reason.startswith("malformed: ")


def test_malformed_thread_event_is_dead_lettered_at_once(bus, places, consume, thread):
    event = thread_event(thread)
    event.data["locked"] = "perhaps"
    bus.publish(places["others"], event)
    consume()
    [(reason, _)] = bus.take_dead_letters(places["posts"])
    assert reason.startswith("malformed: locked: ")


def test_unknown_event_type_is_ignored(bus, places, consume):
    event = Event(uuid7(), "thread.praised", "/threads", uuid7(), 1, utc_now(), {})
    bus.send(places["posts"], event.to_json())
    consume()
    assert bus.queue(places["posts"]).depth().queued == 0
    assert bus.take_dead_letters(places["posts"]) == []


def test_event_status_reports_outbox_and_queue(settings, bus, places, relay, write):
    write("Hello")
    client = PostsService(settings).create_app().test_client()
    before = client.get("/eventz").json
    assert before["outbox_age_seconds"] >= 0
    assert (before["queue_depth"], before["in_flight"], before["dead_letters"]) == (0, 0, 0)
    assert before["heartbeat_age_seconds"] is None
    bus.publish(places["others"], thread_event(uuid7()))
    relay.publish_pending()
    after = client.get("/eventz").json
    assert (after["outbox_age_seconds"], after["queue_depth"]) == (0, 1)


def test_event_status_has_no_counts_without_a_queue(settings):
    alone = settings.model_copy(update={"events_queue_url": ""})
    status = PostsService(alone).create_app().test_client().get("/eventz").json
    assert (status["queue_depth"], status["dead_letters"], status["outbox_age_seconds"]) == (
        None,
        None,
        0,
    )


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize("command", ["worker", "replay"])
def test_worker_and_replay_require_the_bus(command, monkeypatch, capsys):
    run = service_commands(PostsService)[command]
    assert_requires_bus(lambda: run(["since", "10m"]), monkeypatch, capsys)


@pytest.mark.usefixtures("environment")
def test_worker_process_exchanges_events_and_stops_on_sigterm(
    client, bus, places, threads, thread, write, ada, bob, database
):
    def arrived(*told_of):
        known = database.get_by_partition("posts-threads", "id", told_of)
        names = [one["author"]["display_name"] for one in walk(client, PATH)]
        return len(known) == len(told_of) and names == ["Bob B."]

    gone, post = write("Going"), write("Staying", bob, other := threads.begin())
    threads.stop()
    with subprocess.Popen(
        [sys.executable, "-m", "posts", "worker"], env=os.environ, stdout=subprocess.DEVNULL
    ) as worker:
        try:
            found = []
            end = time.monotonic() + 20
            while len(found) < 2 and time.monotonic() < end:
                found += bus.take_events(places["others"])
            assert event_summaries(found) == [(gone, 1, "post.created"), (post, 1, "post.created")]
            new = uuid7()
            bus.publish(
                places["others"],
                thread_event(thread, 2, "thread.deleted"),
                thread_event(other, 2, locked=True),
                thread_event(new),
                user_event(bob, 2, name="Bob B."),
            )
            while not arrived(thread, other, new) and time.monotonic() < end:
                time.sleep(0.1)
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(10) == 0
        finally:
            worker.kill()
    assert [
        client.post(PATH, json={"thread_id": one, "body": "x"}, headers=ada.headers).status_code
        for one in (thread, other, new)
    ] == [404, 409, 201]
    shown = [(one["id"], one["author"]["display_name"]) for one in walk(client, PATH)][1:]
    assert shown == [(post, "Bob B.")]
    assert client.get("/eventz").json["heartbeat_age_seconds"] < 20


@pytest.mark.usefixtures("environment")
def test_lost_queue_is_refilled_from_the_outbox(bus, places, relay, write, monkeypatch, capsys):
    post = write("Hello")
    relay.publish_pending()
    assert len(bus.take_events(places["others"])) == 1
    assert PostsService.from_environment(with_bus=True).replay(["since", "10m"]) == 0
    assert capsys.readouterr().out.startswith("1 event ")
    relay.publish_pending()
    assert event_summaries(bus.take_events(places["others"])) == [(post, 1, "post.created")]


@pytest.mark.usefixtures("environment")
def test_dead_letters_are_redriven_by_command(
    bus, places, consume, database, thread, monkeypatch, capsys
):
    with monkeypatch.context() as broken:
        # Like a bug in the service that is fixed later.
        broken.setattr(ThreadReplica, "store", None)
        bus.publish(places["others"], thread_event(thread))
        for _ in range(MAX_ATTEMPTS):
            consume()
    assert PostsService.from_environment(with_bus=True).replay(["dead-letters"]) == 0
    assert capsys.readouterr().out.startswith("1 dead letter ")
    consume()
    assert bus.queue(places["posts"]).depth().queued == 0
    assert bus.take_dead_letters(places["posts"]) == []
    assert database.get("posts-threads", {"id": thread})["version"] == 1


def test_post_is_written_and_published_later_without_the_bus(
    settings, ada, relay, bus, places, outbox, thread, monkeypatch
):
    with monkeypatch.context() as down:
        for name in ("AWS_ENDPOINT_URL_SNS", "AWS_ENDPOINT_URL_SQS"):
            down.setenv(name, "http://127.0.0.1:9")
        client = PostsService(settings).create_app().test_client()
        new = {"thread_id": thread, "body": "All the same"}
        made = client.post(PATH, json=new, headers=ada.headers)
        assert made.status_code == 201
        far = client.get("/eventz").json
        assert (far["queue_depth"], far["dead_letters"]) == (None, None)
        assert far["outbox_age_seconds"] >= 0
    assert len(outbox.load_unpublished(10)) == 1
    relay.publish_pending()
    assert event_summaries(bus.take_events(places["others"])) == [
        (made.json["id"], 1, "post.created")
    ]
