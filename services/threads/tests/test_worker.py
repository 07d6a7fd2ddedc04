"""The service between the outbox and the bus: nothing lost, nothing applied twice."""

import os
import signal
import subprocess
import sys
import time
from datetime import timedelta

import pytest

from chassis.clock import stamp, utc_now, uuid7
from chassis.messaging.consumer import MAX_ATTEMPTS
from chassis.messaging.events import Event
from chassis.messaging.relay import Relay
from chassis.messaging.subscriptions import Subscription
from tests.support import schemas
from tests.support.event_factory import of_person, of_post
from tests.support.exchange import consuming, needs_the_bus, on_bus, told
from threads import events, replay, worker
from threads.bootstrap import build_store, create_app
from threads.event_handlers import Replicas
from threads.subscription import SUBSCRIPTION

PATH = "/api/threads"
OTHERS = Subscription("others", (events.CREATED, events.UPDATED, events.DELETED, events.FORGOTTEN))


@pytest.fixture
def places(bus):
    return bus.provision([SUBSCRIPTION, OTHERS])


@pytest.fixture
def settings(settings, places):
    return on_bus(settings, places["threads"])


@pytest.fixture
def relay(bus, places, outbox):
    return Relay(outbox, bus.topic(places["threads"]))


@pytest.fixture
def consume(bus, places, database, outbox):
    """Apply what is in the service's queue."""
    handlers = Replicas(database, outbox).handlers()
    return consuming(bus, places["threads"], handlers, build_store(database).check)


def test_what_happens_to_a_thread_reaches_whoever_takes_it(
    client, bus, places, relay, begin, ada, moderator
):
    one, two = begin("One"), begin("Two")
    client.patch(f"{PATH}/{one}", json={"title": "Uno"}, headers=ada.headers)
    client.delete(f"{PATH}/{two}", headers=moderator.headers)
    assert relay.once() == 4
    found = bus.held(places["others"])
    for event in found:
        schemas.validate(event)
    assert told(found) == sorted(
        [
            (one, 1, "thread.created"),
            (one, 2, "thread.updated"),
            (two, 1, "thread.created"),
            (two, 2, "thread.deleted"),
        ]
    )
    assert relay.once() == 0
    assert bus.held(places["threads"]) == []


def test_a_relay_that_dies_before_it_marks_publishes_again(bus, places, outbox, relay, begin):
    begin("Once")
    bus.topic(places["threads"]).publish(outbox.pending(100))
    assert relay.once() == 1
    first, second = bus.held(places["others"])
    assert first == second


def test_posts_and_people_are_known_whatever_comes_twice_or_early(
    client, bus, places, consume, relay, begin, ada
):
    thread = begin("Talk")
    relay.once()
    bus.held(places["others"])
    active = utc_now() + timedelta(seconds=5)
    post = of_post(thread, created_at=active)
    gone = of_post(thread, "post.deleted", version=2)
    erased = of_person(ada, 3, "user.erased")
    arriving = [gone, post, erased, of_person(ada, 2), of_post(thread, post_id=gone.subject)]
    bus.publish(places["others"], *arriving, *arriving)
    while bus.queue(places["threads"]).depth().waiting:
        consume()
    shown = client.get(f"{PATH}/{thread}").json
    assert (shown["post_count"], shown["last_activity_at"]) == (1, stamp(active))
    assert shown["author"] == {"id": ada.id, "display_name": "former member"}
    assert bus.dead(places["threads"]) == []
    relay.once()
    [forgotten] = bus.held(places["others"])
    schemas.validate(forgotten)
    assert (forgotten.type, forgotten.source) == ("user.forgotten", "/threads")
    assert (forgotten.subject, forgotten.version) == (ada.id, erased.version)


def test_a_post_of_an_unknown_thread_ends_among_the_dead_letters(bus, places, consume):
    event = of_post(uuid7())
    bus.publish(places["others"], event)
    for _ in range(MAX_ATTEMPTS):
        assert bus.dead(places["threads"]) == []
        consume()
    [(reason, body)] = bus.dead(places["threads"])
    assert reason == f"UnknownThread: {event.data['thread_id']}"
    assert body == event.to_json()


@pytest.mark.parametrize("body", ["x", "{}", '{"specversion": "1.0"}'])
def test_what_is_no_event_goes_there_at_once(bus, places, consume, body):
    bus.send(places["threads"], body)
    consume()
    [(reason, _)] = bus.dead(places["threads"])
    assert reason.startswith("malformed: ")


def test_so_does_what_can_not_be_understood_of_a_post(bus, places, consume, begin):
    event = of_post(begin("Talk"))
    event.data["deleted"] = "perhaps"
    bus.publish(places["others"], event)
    consume()
    [(reason, _)] = bus.dead(places["threads"])
    assert reason.startswith("malformed: deleted: ")


def test_an_unknown_type_is_let_pass(bus, places, consume):
    event = Event(uuid7(), "post.praised", "/posts", uuid7(), 1, utc_now(), {})
    bus.send(places["threads"], event.to_json())
    consume()
    assert bus.queue(places["threads"]).depth().waiting == 0
    assert bus.dead(places["threads"]) == []


def test_the_service_says_how_far_its_events_are(settings, bus, places, relay, begin):
    thread = begin("Talk")
    client = create_app(settings).test_client()
    before = client.get("/eventz").json
    assert before["outbox_seconds"] >= 0
    assert (before["waiting"], before["in_flight"], before["dead"]) == (0, 0, 0)
    assert before["worker_seconds"] is None
    bus.publish(places["others"], of_post(thread))
    relay.once()
    after = client.get("/eventz").json
    assert (after["outbox_seconds"], after["waiting"]) == (0, 1)


def test_without_a_queue_there_is_nothing_to_count(settings):
    alone = settings.model_copy(update={"events_queue_url": ""})
    told = create_app(alone).test_client().get("/eventz").json
    assert (told["waiting"], told["dead"], told["outbox_seconds"]) == (None, None, 0)


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize("module", [worker, replay])
def test_nothing_is_exchanged_without_a_bus(module, monkeypatch, capsys):
    needs_the_bus(module.main, monkeypatch, capsys)


@pytest.mark.usefixtures("environment")
def test_the_worker_runs_on_its_own_and_ends_when_asked(client, bus, places, begin, ada):
    thread = begin("Talk")
    with subprocess.Popen(
        [sys.executable, "-m", "threads.worker"], env=os.environ, stdout=subprocess.DEVNULL
    ) as worker:
        try:
            found = []
            end = time.monotonic() + 20
            while not found and time.monotonic() < end:
                found = bus.held(places["others"])
            assert told(found) == [(thread, 1, "thread.created")]
            posts = [of_post(thread) for _ in range(12)]
            bus.publish(places["others"], *posts, of_person(ada, 2, name="Ada L."))
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
    assert client.get("/eventz").json["worker_seconds"] < 20


@pytest.mark.usefixtures("environment")
def test_a_lost_queue_is_filled_again_from_the_outbox(
    bus, places, relay, begin, monkeypatch, capsys
):
    thread = begin("Talk")
    relay.once()
    assert len(bus.held(places["others"])) == 1
    monkeypatch.setattr(sys, "argv", ["replay", "since", "10m"])
    assert replay.main() == 0
    assert capsys.readouterr().out.startswith("1 event ")
    relay.once()
    assert told(bus.held(places["others"])) == [(thread, 1, "thread.created")]


@pytest.mark.usefixtures("environment")
def test_dead_letters_are_tried_again_by_hand(
    client, bus, places, consume, begin, monkeypatch, capsys
):
    wrong = of_post(begin("Talk"))
    wrong.data["thread_id"] = uuid7()
    bus.publish(places["others"], wrong)
    for _ in range(MAX_ATTEMPTS):
        consume()
    monkeypatch.setattr(sys, "argv", ["replay", "dead-letters"])
    assert replay.main() == 0
    assert capsys.readouterr().out.startswith("1 dead letter ")
    assert bus.queue(places["threads"]).depth().waiting == 1
    assert bus.dead(places["threads"]) == []


def test_a_thread_is_begun_and_told_of_while_the_bus_is_down(
    settings, ada, relay, bus, places, outbox, monkeypatch
):
    with monkeypatch.context() as down:
        for name in ("AWS_ENDPOINT_URL_SNS", "AWS_ENDPOINT_URL_SQS"):
            down.setenv(name, "http://127.0.0.1:9")
        client = create_app(settings).test_client()
        made = client.post(PATH, json={"title": "All the same"}, headers=ada.headers)
        assert made.status_code == 201
        far = client.get("/eventz").json
        assert (far["waiting"], far["dead"]) == (None, None)
        assert far["outbox_seconds"] >= 0
    assert len(outbox.pending(10)) == 1
    relay.once()
    assert told(bus.held(places["others"])) == [(made.json["id"], 1, "thread.created")]
