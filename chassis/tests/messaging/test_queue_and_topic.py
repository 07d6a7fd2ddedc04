"""The bus: events reach subscribed queues; outages are distinguished from bugs."""

import json
import time
from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError

from chassis.errors import Unavailable
from chassis.messaging.aws_clients import sns_client, sqs_client
from chassis.messaging.events import MAX_BYTES
from chassis.messaging.sns_topic import Topic
from chassis.messaging.sqs_queue import MAX_REASON_LENGTH, Queue, QueueDepth
from chassis.messaging.subscriptions import Subscription
from infra.runner.free_port import free_port
from tests.support.bus import Bus, MiniStack, make_event
from tests.support.servers import Server, reply
from tests.support.waits import wait_until

NOTES = Subscription("notes", ("note.created", "note.deleted"))
TAGS = Subscription("tags", ("tag.created",))
NOWHERE = "arn:aws:sns:eu-central-1:000000000000:nowhere"


@pytest.fixture
def places(bus: Bus):
    return bus.provision([NOTES, TAGS])


@pytest.fixture
def topic(bus, places) -> Topic:
    return bus.topic(places["notes"])


@pytest.fixture
def queue(bus, places) -> Queue:
    return bus.queue(places["notes"])


class Script(Server):
    """Server for SNS or SQS with scripted responses, which emulators don't support."""

    def __init__(self) -> None:
        super().__init__(self._answer)
        self.answers: list[tuple[int, str]] = []
        self.asked: list[bytes] = []

    def _answer(self, request, body: bytes) -> None:
        self.asked.append(body)
        status, content = self.answers.pop(0)
        reply(request, status, content.encode())


@pytest.fixture
def scripted(bus, monkeypatch: pytest.MonkeyPatch) -> Iterator[Script]:
    with Script() as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SNS", server.url)
        monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", server.url)
        yield server


def published(taken: str = "", failed: str = "") -> tuple[int, str]:
    members = "".join(f"<member><Id>{place}</Id></member>" for place in taken)
    faults = "".join(
        f"<member><Id>{place}</Id><Code>InternalError</Code></member>" for place in failed
    )
    result = f"<Successful>{members}</Successful><Failed>{faults}</Failed>"
    return 200, (
        f"<PublishBatchResponse><PublishBatchResult>{result}</PublishBatchResult>"
        "</PublishBatchResponse>"
    )


def refusal(status: int, code: str) -> tuple[int, str]:
    return status, f"<ErrorResponse><Error><Code>{code}</Code></Error></ErrorResponse>"


def texts(found):
    return sorted(event.data["text"] for event in found)


def test_event_reaches_the_queues_that_take_its_type(bus, places):
    note, tag = make_event("note.created", text="é😀\x00"), make_event("tag.created")
    other = make_event("note.updated")
    bus.publish(places["notes"], note, other, tag)
    assert bus.take_events(places["notes"]) == [note]
    assert bus.take_events(places["tags"]) == [tag]


def test_events_are_published_in_batches_by_number_and_size(bus, places):
    small = [make_event(text=f"{number:03}") for number in range(25)]
    large = [make_event(text=letter * 100_000) for letter in "abcde"]
    bus.publish(places["notes"], *small, *large)
    assert texts(bus.take_events(places["notes"])) == sorted(
        event.data["text"] for event in small + large
    )


def test_longest_event_arrives(bus, places):
    room = MAX_BYTES - len(make_event(text="").to_json())
    event = make_event(text="x" * room)
    bus.publish(places["notes"], event, make_event(text="y"))
    assert texts(bus.take_events(places["notes"])) == [event.data["text"], "y"]


def test_publish_returns_only_accepted_events(scripted):
    events = [make_event() for _ in range(3)]
    scripted.answers = [published("02", failed="1")]
    assert Topic(sns_client(), NOWHERE).publish(events) == [events[0], events[2]]


def test_rejected_event_delays_no_other(scripted):
    events = [make_event() for _ in range(3)]
    refused = refusal(400, "InvalidParameter")
    scripted.answers = [refused, published("0"), refused, published("0")]
    assert Topic(sns_client(), NOWHERE).publish(events) == [events[0], events[2]]


def test_events_published_before_an_outage_are_returned(scripted):
    events = [make_event() for _ in range(15)]
    down = refusal(503, "ServiceUnavailable")
    scripted.answers = [published("0123456789"), down, down, down, down]
    topic = Topic(sns_client(), NOWHERE)
    assert topic.publish(events) == events[:10]
    with pytest.raises(Unavailable):
        topic.publish(events)


def test_empty_list_of_events_makes_no_call(scripted):
    assert Topic(sns_client(), NOWHERE).publish([]) == []
    assert scripted.asked == []


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (500, "InternalError"),
        (503, "ServiceUnavailable"),
        (404, "NotFound"),
        (400, "Throttled"),
        (403, "AuthorizationError"),
        (403, "ExpiredToken"),
    ],
)
def test_outage_of_the_topic_is_unavailable(scripted, status, code):
    scripted.answers = [refusal(status, code)] * 2
    with pytest.raises(Unavailable):
        Topic(sns_client(), NOWHERE).publish([make_event()])


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (500, "InternalFailure", Unavailable),
        (400, "com.amazonaws.sqs#QueueDoesNotExist", Unavailable),
        (400, "com.amazonaws.sqs#RequestThrottled", Unavailable),
        (403, "AccessDenied", Unavailable),
        (400, "com.amazonaws.sqs#InvalidMessageContents", ClientError),
    ],
)
def test_outage_of_a_queue_is_distinguished_from_a_bug(scripted, status, code, kind):
    scripted.answers = [(status, json.dumps({"__type": code}))] * 2
    with pytest.raises(kind):
        Queue(sqs_client(), f"{scripted.url}/0/q", "").receive(0)


def test_missing_topic_or_queue_is_an_outage(bus, places):
    with pytest.raises(Unavailable):
        Topic(bus.sns, NOWHERE).publish([make_event()])
    bus.sqs.delete_queue(QueueUrl=places["notes"].queue_url)
    with pytest.raises(Unavailable):
        bus.queue(places["notes"]).receive(0)


def test_unreachable_bus_is_an_outage(bus, monkeypatch):
    for service in ("SNS", "SQS"):
        monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service}", f"http://127.0.0.1:{free_port()}")
    with pytest.raises(Unavailable):
        Topic(sns_client(), NOWHERE).publish([make_event()])
    with pytest.raises(Unavailable):
        Queue(sqs_client(), "http://127.0.0.1/0/q", "").depth()


def test_hanging_bus_does_not_block_the_queue_depth(monkeypatch):
    with MiniStack() as ministack:
        for name, value in ministack.environment.items():
            monkeypatch.setenv(name, value)
        mine = Bus(ministack)
        places = mine.provision([NOTES])["notes"]
        queue = Queue(sqs_client(), places.queue_url, places.dead_letter_queue_url)
        assert queue.depth() == QueueDepth(0, 0, 0)
        ministack.pause()
        start = time.monotonic()
        with pytest.raises(Unavailable):
            queue.depth()
        assert time.monotonic() - start < 3


def test_invalid_call_is_a_bug(queue):
    with pytest.raises(ClientError):
        queue.receive(0, most=11)


def test_queue_counts_queued_and_in_flight_messages(bus, places, queue):
    bus.publish(places["notes"], *(make_event() for _ in range(5)))
    assert queue.depth() == QueueDepth(5, 0, 0)
    first, second = queue.receive(0, most=2)
    assert queue.depth() == QueueDepth(3, 2, 0)
    queue.delete([first])
    queue.change_visibility([second], 0)
    assert queue.depth() == QueueDepth(4, 0, 0)


def test_returned_message_is_redelivered_with_its_count(bus, places, queue):
    bus.publish(places["notes"], make_event())
    (first,) = queue.receive(0)
    assert queue.receive(0) == []
    queue.change_visibility([first], 0)
    (second,) = queue.receive(0)
    assert (first.receive_count, second.receive_count) == (1, 2)
    assert (first.id, first.body) == (second.id, second.body)


def test_requeued_message_counts_as_never_received(bus, places, queue):
    bus.publish(places["notes"], make_event())
    (first,) = queue.receive(0)
    queue.requeue(first, 1)
    assert queue.depth() == QueueDepth(1, 0, 0)
    assert queue.receive(0) == [], "it has to wait"
    (second,) = queue.receive(2)
    assert (second.receive_count, second.body) == (1, first.body)
    assert second.attributes == first.attributes


def test_dead_letter_has_its_reason(bus, places, queue):
    event = make_event(text="x")
    bus.publish(places["notes"], event)
    (message,) = queue.receive(0)
    queue.dead_letter(message, "NotFound: \x00\ud800\ufffe" + "x" * 1000)
    assert queue.depth() == QueueDepth(0, 0, 1)
    ((reason, body),) = bus.take_dead_letters(places["notes"])
    assert body == event.to_json()
    assert reason.startswith("NotFound: \ufffd\ufffd\ufffdxxx")
    assert len(reason) == MAX_REASON_LENGTH


def test_late_acknowledgement_is_not_an_error(bus, places, queue, logged):
    bus.publish(places["notes"], make_event(), make_event())
    messages = queue.receive(0)
    queue.delete(messages[:1])
    queue.delete(messages)
    assert queue.depth() == QueueDepth(0, 0, 0)
    (line,), _ = logged()
    assert messages[0].id in line["message"]


def test_dead_letters_go_back_without_their_reason(bus, places, queue):
    events = [make_event(text=f"{number:02}") for number in range(23)]
    bus.publish(places["notes"], *events)
    while messages := queue.receive(0):
        for message in messages:
            queue.dead_letter(message, "malformed: x")
    assert queue.depth() == QueueDepth(0, 0, 23)
    assert queue.redrive() == 23
    assert queue.depth() == QueueDepth(23, 0, 0)
    (back,) = queue.receive(0, most=1)
    assert back.attributes["type"]["StringValue"] == "note.created"
    assert "reason" not in back.attributes
    queue.change_visibility([back], 0)
    assert texts(bus.take_events(places["notes"])) == texts(events)


def test_dead_letters_that_fail_again_do_not_loop(bus, places, queue):
    for number in range(12):
        bus.send(places["notes"], f"nonsense {number}")

    def dead_letter_all() -> None:
        for message in queue.receive(0):
            queue.dead_letter(message, "malformed: nonsense")

    dead_letter_all()
    dead_letter_all()

    class ConsumedQueue(Queue):
        """A queue with a consumer that runs between any two calls."""

        def _send(self, *arguments, **options) -> None:
            super()._send(*arguments, **options)
            dead_letter_all()

    consumed = ConsumedQueue(
        bus.sqs, places["notes"].queue_url, places["notes"].dead_letter_queue_url
    )
    assert consumed.redrive() == 12
    assert queue.depth() == QueueDepth(0, 0, 12)


def test_lost_bus_accepts_events_after_provisioning(monkeypatch):
    with MiniStack() as ministack:
        for name, value in ministack.environment.items():
            monkeypatch.setenv(name, value)
        mine = Bus(ministack)
        places = mine.provision([NOTES], prefix="same-")["notes"]
        ministack.kill()
        with pytest.raises(Unavailable):
            mine.topic(places).publish([make_event()])
        ministack.start()
        with pytest.raises(Unavailable):
            mine.topic(places).publish([make_event()])
        assert mine.provision([NOTES], prefix="same-")["notes"] == places
        event = make_event()
        mine.publish(places, event)
        assert wait_until(lambda: mine.take_events(places)) == [event]
