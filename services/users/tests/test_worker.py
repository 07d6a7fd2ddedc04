"""The service between the outbox and the bus: nothing lost, nothing applied twice."""

import os
import signal
import subprocess
import sys
import time

import pytest

from chassis.clock import utc_now, uuid7
from chassis.messaging.consumer import MAX_ATTEMPTS
from chassis.messaging.events import Event
from chassis.messaging.relay import Relay
from chassis.messaging.subscriptions import Subscription
from chassis.runtime import service_commands
from services.users.tests.conftest import PASSWORD
from tests.support import schemas
from tests.support.exchange import assert_requires_bus, event_summaries, make_consumer, with_bus
from users import events
from users.bootstrap import UsersService
from users.domain import DOMAIN

PATH = "/api/users"
REPLICA_HOLDERS = ("monolith", "posts", "threads")
OTHERS = Subscription(
    "others", (events.REGISTERED, events.UPDATED, events.SUSPENDED, events.ERASED)
)


@pytest.fixture
def places(bus):
    return bus.provision([DOMAIN.subscription, OTHERS])


@pytest.fixture
def settings(settings, places):
    return with_bus(settings, places["users"])


@pytest.fixture
def outbox(settings):
    return UsersService(settings).outbox


@pytest.fixture
def relay(bus, places, outbox):
    return Relay(outbox, bus.topic(places["users"]))


@pytest.fixture
def consume(bus, places, settings):
    """Return a function that consumes the service's queue."""
    service = UsersService(settings)
    return make_consumer(bus, places["users"], service.event_handlers(), service.check)


def forgotten(person_id, component, version=2):
    return Event(uuid7(), events.FORGOTTEN, f"/{component}", person_id, version, utc_now(), {})


def test_events_of_users_reach_subscribers(client, bus, places, relay, ada, bob):
    client.patch(ada.path, json={"bio": "x"}, headers=ada.headers)
    client.delete(bob.path, json={"password": PASSWORD}, headers=bob.headers)
    assert relay.publish_pending() == 4
    found = bus.take_events(places["others"])
    for event in found:
        schemas.validate(event)
    assert event_summaries(found) == sorted(
        [
            (ada.id, 1, "user.registered"),
            (ada.id, 2, "user.updated"),
            (bob.id, 1, "user.registered"),
            (bob.id, 2, "user.erased"),
        ]
    )
    assert relay.publish_pending() == 0
    assert bus.take_events(places["users"]) == []


def test_relay_killed_before_marking_publishes_again(client, bus, places, outbox, relay, ada):
    bus.topic(places["users"]).publish(outbox.load_unpublished(100))
    assert relay.publish_pending() == 1
    first, second = bus.take_events(places["others"])
    assert first == second


def test_repeated_and_early_confirmations_finish_an_erasure(
    client, bus, places, relay, consume, ada
):
    erased = client.delete(ada.path, json={"password": PASSWORD}, headers=ada.headers).headers[
        "Location"
    ]
    assert client.get(erased).json["status"] == "erasing", "the queue may be down"
    relay.publish_pending()
    [event] = [one for one in bus.take_events(places["others"]) if one.type == events.ERASED]
    confirmations = [forgotten(event.subject, holder, event.version) for holder in REPLICA_HOLDERS]
    bus.publish(places["others"], *confirmations[1:], *confirmations[1:])
    consume()
    assert client.get(erased).json["status"] == "erasing"
    bus.publish(places["others"], *confirmations)
    consume()
    done = client.get(erased).json
    assert done["status"] == "erased"
    # A worker that died before it acknowledged is given all of it again.
    bus.publish(places["others"], *reversed(confirmations))
    consume()
    assert client.get(erased).json == done
    assert bus.queue(places["users"]).depth().queued == 0
    assert bus.take_dead_letters(places["users"]) == []


def test_confirmation_of_an_unknown_erasure_is_dead_lettered(bus, places, consume, ada):
    event = forgotten(ada.id, "posts")
    bus.publish(places["others"], event)
    for _ in range(MAX_ATTEMPTS):
        assert bus.take_dead_letters(places["users"]) == []
        consume()
    [(reason, body)] = bus.take_dead_letters(places["users"])
    assert reason == f"UnknownErasure: {ada.id}"
    assert body == event.to_json()


@pytest.mark.parametrize("body", ["", "{}", '{"specversion": "1.0"}'])
def test_malformed_message_is_dead_lettered_at_once(bus, places, consume, body):
    bus.send(places["users"], body or "x")
    consume()
    [(reason, _)] = bus.take_dead_letters(places["users"])
    assert reason.startswith("malformed: ")


@pytest.mark.parametrize("example", schemas.examples(events.FORGOTTEN), ids=lambda e: e.source)
def test_confirmations_match_their_schema(client, settings, bus, places, consume, ada, example):
    location = client.delete(ada.path, json={"password": PASSWORD}, headers=ada.headers).headers[
        "Location"
    ]
    text = example.to_json().replace(example.subject, ada.id)
    more = text.replace('"data":{}', '"data":{"new":1},"traceparent":"00-1"')
    assert more != text
    bus.send(places["users"], text, more)
    consume()
    assert bus.take_dead_letters(places["users"]) == []
    store = UsersService(settings).store
    holder = example.source.removeprefix("/")
    assert store.erasure(ada.id).waiting_for == frozenset(REPLICA_HOLDERS) - {holder}
    assert client.get(location).json["status"] == "erasing"


def test_unknown_event_type_is_ignored(bus, places, consume, ada):
    event = Event(uuid7(), "user.praised", "/monolith", ada.id, 1, utc_now(), {})
    bus.send(places["users"], event.to_json())
    consume()
    assert bus.queue(places["users"]).depth().queued == 0
    assert bus.take_dead_letters(places["users"]) == []


def test_event_status_reports_outbox_and_queue(settings, bus, places, relay, ada):
    client = UsersService(settings).create_app().test_client()
    before = client.get("/eventz").json
    assert before["outbox_age_seconds"] >= 0
    assert (before["queue_depth"], before["in_flight"], before["dead_letters"]) == (0, 0, 0)
    assert before["heartbeat_age_seconds"] is None
    bus.publish(places["others"], forgotten(ada.id, "posts"))
    relay.publish_pending()
    after = client.get("/eventz").json
    assert (after["outbox_age_seconds"], after["queue_depth"]) == (0, 1)


def test_event_status_has_no_counts_without_a_queue(settings):
    alone = settings.model_copy(update={"events_queue_url": ""})
    status = UsersService(alone).create_app().test_client().get("/eventz").json
    assert (status["queue_depth"], status["dead_letters"], status["outbox_age_seconds"]) == (
        None,
        None,
        0,
    )


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize("command", ["worker", "replay"])
def test_worker_and_replay_require_the_bus(command, monkeypatch, capsys):
    run = service_commands(UsersService)[command]
    assert_requires_bus(lambda: run(["since", "10m"]), monkeypatch, capsys)


@pytest.mark.usefixtures("environment")
def test_worker_process_exchanges_events_and_stops_on_sigterm(client, bus, places, ada):
    location = client.delete(ada.path, json={"password": PASSWORD}, headers=ada.headers).headers[
        "Location"
    ]
    with subprocess.Popen(
        [sys.executable, "-m", "users", "worker"], env=os.environ, stdout=subprocess.DEVNULL
    ) as worker:
        try:
            found = []
            end = time.monotonic() + 20
            while len(found) < 2 and time.monotonic() < end:
                found += bus.take_events(places["others"])
            assert event_summaries(found) == [
                (ada.id, 1, "user.registered"),
                (ada.id, 2, "user.erased"),
            ]
            bus.publish(
                places["others"], *(forgotten(ada.id, holder) for holder in REPLICA_HOLDERS)
            )
            while client.get(location).json["status"] == "erasing" and time.monotonic() < end:
                time.sleep(0.1)
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(10) == 0
        finally:
            worker.kill()
    assert client.get(location).json["status"] == "erased"


@pytest.mark.usefixtures("environment")
def test_lost_queue_is_refilled_from_the_outbox(bus, places, relay, ada, monkeypatch, capsys):
    relay.publish_pending()
    assert len(bus.take_events(places["others"])) == 1
    assert UsersService.from_environment(with_bus=True).replay(["since", "10m"]) == 0
    assert capsys.readouterr().out.startswith("1 event ")
    relay.publish_pending()
    assert event_summaries(bus.take_events(places["others"])) == [(ada.id, 1, "user.registered")]


@pytest.mark.usefixtures("environment")
def test_dead_letters_are_redriven_by_command(
    client, bus, places, consume, ada, monkeypatch, capsys
):
    early = forgotten(ada.id, "posts")
    bus.publish(places["others"], early)
    for _ in range(MAX_ATTEMPTS):
        consume()
    client.delete(ada.path, json={"password": PASSWORD}, headers=ada.headers)
    assert UsersService.from_environment(with_bus=True).replay(["dead-letters"]) == 0
    assert capsys.readouterr().out.startswith("1 dead letter ")
    consume()
    assert bus.take_dead_letters(places["users"]) == []
    assert bus.queue(places["users"]).depth().queued == 0


@pytest.mark.usefixtures("environment")
def test_user_is_registered_and_event_kept_without_the_bus(client, monkeypatch, outbox):
    monkeypatch.setenv("AWS_ENDPOINT_URL_SNS", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", "http://127.0.0.1:9")
    new = {"username": "grace", "password": PASSWORD}
    assert client.post(PATH, json=new).status_code == 201
    assert len(outbox.load_unpublished(10)) == 1
