"""The service between the outbox and the bus: nothing lost, nothing applied twice."""

import os
import signal
import subprocess
import sys
import time
from datetime import timedelta

import pytest

from chassis.clock import format_timestamp, utc_now, uuid7
from chassis.messaging.consumer import MAX_ATTEMPTS
from chassis.messaging.events import Event
from chassis.messaging.relay import Relay
from chassis.messaging.subscriptions import Subscription
from chassis.runtime import service_commands
from tests.support import schemas
from tests.support.event_factory import post_event, user_event
from tests.support.exchange import assert_requires_bus, event_summaries, make_consumer, with_bus
from threads import events
from threads.bootstrap import ThreadsService
from threads.domain import DOMAIN
from threads.event_handlers import EventHandlers

PATH = "/api/threads"
OTHERS = Subscription("others", (events.CREATED, events.UPDATED, events.DELETED, events.FORGOTTEN))


@pytest.fixture
def places(bus):
    return bus.provision([DOMAIN.subscription, OTHERS])


@pytest.fixture
def settings(settings, places):
    return with_bus(settings, places["threads"])


@pytest.fixture
def relay(bus, places, outbox):
    return Relay(outbox, bus.topic(places["threads"]))


@pytest.fixture
def consume(bus, places, settings, database, outbox):
    """Return a function that consumes the service's queue."""
    handlers = EventHandlers(database, outbox).handlers()
    return make_consumer(bus, places["threads"], handlers, ThreadsService(settings).check)


def test_events_of_a_thread_reach_subscribers(client, bus, places, relay, begin, ada, moderator):
    one, two = begin("One"), begin("Two")
    client.patch(f"{PATH}/{one}", json={"title": "Uno"}, headers=ada.headers)
    client.delete(f"{PATH}/{two}", headers=moderator.headers)
    assert relay.publish_pending() == 4
    found = bus.take_events(places["others"])
    for event in found:
        schemas.validate(event)
    assert event_summaries(found) == sorted(
        [
            (one, 1, "thread.created"),
            (one, 2, "thread.updated"),
            (two, 1, "thread.created"),
            (two, 2, "thread.deleted"),
        ]
    )
    assert relay.publish_pending() == 0
    assert bus.take_events(places["threads"]) == []


def test_relay_killed_before_marking_publishes_again(bus, places, outbox, relay, begin):
    begin("Once")
    bus.topic(places["threads"]).publish(outbox.load_unpublished(100))
    assert relay.publish_pending() == 1
    first, second = bus.take_events(places["others"])
    assert first == second


def test_repeated_and_early_events_update_tally_and_replica(
    client, bus, places, consume, relay, begin, ada
):
    thread = begin("Talk")
    relay.publish_pending()
    bus.take_events(places["others"])
    active = utc_now() + timedelta(seconds=5)
    post = post_event(thread, created_at=active)
    gone = post_event(thread, "post.deleted", version=2)
    erased = user_event(ada, 3, "user.erased")
    arriving = [gone, post, erased, user_event(ada, 2), post_event(thread, post_id=gone.subject)]
    bus.publish(places["others"], *arriving, *arriving)
    while bus.queue(places["threads"]).depth().queued:
        consume()
    shown = client.get(f"{PATH}/{thread}").json
    assert (shown["post_count"], shown["last_activity_at"]) == (1, format_timestamp(active))
    assert shown["author"] == {"id": ada.id, "display_name": "former member"}
    assert bus.take_dead_letters(places["threads"]) == []
    relay.publish_pending()
    [forgotten] = bus.take_events(places["others"])
    schemas.validate(forgotten)
    assert (forgotten.type, forgotten.source) == ("user.forgotten", "/threads")
    assert (forgotten.subject, forgotten.version) == (ada.id, erased.version)


def test_post_of_an_unknown_thread_is_dead_lettered(bus, places, consume):
    event = post_event(uuid7())
    bus.publish(places["others"], event)
    for _ in range(MAX_ATTEMPTS):
        assert bus.take_dead_letters(places["threads"]) == []
        consume()
    [(reason, body)] = bus.take_dead_letters(places["threads"])
    assert reason == f"UnknownThread: {event.data['thread_id']}"
    assert body == event.to_json()


@pytest.mark.parametrize("body", ["x", "{}", '{"specversion": "1.0"}'])
def test_malformed_message_is_dead_lettered_at_once(bus, places, consume, body):
    bus.send(places["threads"], body)
    consume()
    [(reason, _)] = bus.take_dead_letters(places["threads"])
    assert reason.startswith("malformed: ")


def test_malformed_post_event_is_dead_lettered_at_once(bus, places, consume, begin):
    event = post_event(begin("Talk"))
    event.data["deleted"] = "perhaps"
    bus.publish(places["others"], event)
    consume()
    [(reason, _)] = bus.take_dead_letters(places["threads"])
    assert reason.startswith("malformed: deleted: ")


def test_unknown_event_type_is_ignored(bus, places, consume):
    event = Event(uuid7(), "post.praised", "/posts", uuid7(), 1, utc_now(), {})
    bus.send(places["threads"], event.to_json())
    consume()
    assert bus.queue(places["threads"]).depth().queued == 0
    assert bus.take_dead_letters(places["threads"]) == []


def test_event_status_reports_outbox_and_queue(settings, bus, places, relay, begin):
    thread = begin("Talk")
    client = ThreadsService(settings).create_app().test_client()
    before = client.get("/eventz").json
    assert before["outbox_age_seconds"] >= 0
    assert (before["queue_depth"], before["in_flight"], before["dead_letters"]) == (0, 0, 0)
    assert before["heartbeat_age_seconds"] is None
    bus.publish(places["others"], post_event(thread))
    relay.publish_pending()
    after = client.get("/eventz").json
    assert (after["outbox_age_seconds"], after["queue_depth"]) == (0, 1)


def test_event_status_has_no_counts_without_a_queue(settings):
    alone = settings.model_copy(update={"events_queue_url": ""})
    status = ThreadsService(alone).create_app().test_client().get("/eventz").json
    assert (status["queue_depth"], status["dead_letters"], status["outbox_age_seconds"]) == (
        None,
        None,
        0,
    )


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize("command", ["worker", "replay"])
def test_worker_and_replay_require_the_bus(command, monkeypatch, capsys):
    run = service_commands(ThreadsService)[command]
    assert_requires_bus(lambda: run(["since", "10m"]), monkeypatch, capsys)


@pytest.mark.usefixtures("environment")
def test_worker_process_exchanges_events_and_stops_on_sigterm(client, bus, places, begin, ada):
    thread = begin("Talk")
    with subprocess.Popen(
        [sys.executable, "-m", "threads", "worker"], env=os.environ, stdout=subprocess.DEVNULL
    ) as worker:
        try:
            found = []
            end = time.monotonic() + 20
            while not found and time.monotonic() < end:
                found = bus.take_events(places["others"])
            assert event_summaries(found) == [(thread, 1, "thread.created")]
            posts = [post_event(thread) for _ in range(12)]
            bus.publish(places["others"], *posts, user_event(ada, 2, name="Ada L."))
            while time.monotonic() < end:
                shown = client.get(f"{PATH}/{thread}").json
                if (shown["post_count"], shown["author"]["display_name"]) == (12, "Ada L."):
                    break
                time.sleep(0.1)
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(10) == 0
        finally:
            worker.kill()
    shown = client.get(f"{PATH}/{thread}").json
    assert (shown["post_count"], shown["author"]["display_name"]) == (12, "Ada L.")
    assert shown["last_activity_at"] == max(post.data["created_at"] for post in posts)
    assert client.get("/eventz").json["heartbeat_age_seconds"] < 20


@pytest.mark.usefixtures("environment")
def test_lost_queue_is_refilled_from_the_outbox(bus, places, relay, begin, monkeypatch, capsys):
    thread = begin("Talk")
    relay.publish_pending()
    assert len(bus.take_events(places["others"])) == 1
    assert ThreadsService.from_environment(with_bus=True).replay(["since", "10m"]) == 0
    assert capsys.readouterr().out.startswith("1 event ")
    relay.publish_pending()
    assert event_summaries(bus.take_events(places["others"])) == [(thread, 1, "thread.created")]


@pytest.mark.usefixtures("environment")
def test_dead_letters_are_redriven_by_command(
    client, bus, places, consume, begin, monkeypatch, capsys
):
    wrong = post_event(begin("Talk"))
    wrong.data["thread_id"] = uuid7()
    bus.publish(places["others"], wrong)
    for _ in range(MAX_ATTEMPTS):
        consume()
    assert ThreadsService.from_environment(with_bus=True).replay(["dead-letters"]) == 0
    assert capsys.readouterr().out.startswith("1 dead letter ")
    assert bus.queue(places["threads"]).depth().queued == 1
    assert bus.take_dead_letters(places["threads"]) == []


def test_thread_is_created_and_published_later_without_the_bus(
    settings, ada, relay, bus, places, outbox, monkeypatch
):
    with monkeypatch.context() as down:
        for name in ("AWS_ENDPOINT_URL_SNS", "AWS_ENDPOINT_URL_SQS"):
            down.setenv(name, "http://127.0.0.1:9")
        client = ThreadsService(settings).create_app().test_client()
        made = client.post(PATH, json={"title": "All the same"}, headers=ada.headers)
        assert made.status_code == 201
        far = client.get("/eventz").json
        assert (far["queue_depth"], far["dead_letters"]) == (None, None)
        assert far["outbox_age_seconds"] >= 0
    assert len(outbox.load_unpublished(10)) == 1
    relay.publish_pending()
    assert event_summaries(bus.take_events(places["others"])) == [
        (made.json["id"], 1, "thread.created")
    ]
