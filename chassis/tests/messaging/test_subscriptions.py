"""Subscriptions: provisioning of topic and queues is idempotent."""

import json

import pytest

from chassis.messaging import subscriptions
from chassis.messaging.aws_clients import sns_client
from chassis.messaging.subscriptions import MAX_RECEIVES, Subscription, provision_bus
from tests.support.bus import make_event
from tests.support.servers import Server, reply

NOTES = Subscription("notes", ("note.created",))


def attributes(bus, url):
    return bus.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]


def test_names_are_made_of_prefix_and_component(bus):
    places = bus.provision([NOTES], prefix="names-")["notes"]
    assert places.topic_arn.endswith(":names-events")
    assert places.queue_url.endswith("/names-notes")
    assert places.dead_letter_queue_url.endswith("/names-notes-dead-letters")


def test_queue_has_visibility_retention_and_redrive_as_defined(bus):
    places = bus.provision([NOTES])["notes"]
    found = attributes(bus, places.queue_url)
    dead = attributes(bus, places.dead_letter_queue_url)
    assert found["VisibilityTimeout"] == str(subscriptions.VISIBILITY_SECONDS)
    assert found["MessageRetentionPeriod"] == str(subscriptions.RETENTION_SECONDS)
    assert dead["MessageRetentionPeriod"] == str(subscriptions.DEAD_RETENTION_SECONDS)
    assert json.loads(found["RedrivePolicy"]) == {
        "deadLetterTargetArn": dead["QueueArn"],
        "maxReceiveCount": MAX_RECEIVES,
    }


def test_message_received_too_often_is_dead_lettered(bus):
    places = bus.provision([NOTES])["notes"]
    queue = bus.queue(places)
    bus.publish(places, make_event())
    for number in range(MAX_RECEIVES):
        (message,) = queue.receive(0)
        assert message.receive_count == number + 1
        queue.change_visibility([message], 0)
    assert queue.receive(0) == []
    assert queue.depth().dead_letters == 1


def test_queue_policy_allows_only_the_topic_to_send(bus):
    places = bus.provision([NOTES])["notes"]
    found = attributes(bus, places.queue_url)
    (statement,) = json.loads(found["Policy"])["Statement"]
    assert statement["Resource"] == found["QueueArn"]
    assert statement["Condition"] == {"ArnEquals": {"aws:SourceArn": places.topic_arn}}


def test_provisioning_again_changes_nothing(bus):
    places = bus.provision([NOTES], prefix="again-")
    event = make_event()
    bus.publish(places["notes"], event)
    assert bus.provision([NOTES], prefix="again-") == places
    listed = bus.sns.list_subscriptions_by_topic(TopicArn=places["notes"].topic_arn)
    assert len(listed["Subscriptions"]) == 1
    assert bus.take_events(places["notes"]) == [event]


def test_provisioning_updates_existing_resources(bus):
    places = bus.provision([NOTES], prefix="date-")["notes"]
    bus.sqs.set_queue_attributes(
        QueueUrl=places.queue_url, Attributes={"VisibilityTimeout": "1", "Policy": ""}
    )
    changed = Subscription("notes", ("note.deleted", "tag.created"))
    assert bus.provision([changed], prefix="date-") == {"notes": places}
    found = attributes(bus, places.queue_url)
    assert found["VisibilityTimeout"] == str(subscriptions.VISIBILITY_SECONDS)
    events = [make_event("note.deleted"), make_event("tag.created")]
    bus.publish(places, make_event("note.created"), *events)
    assert bus.take_events(places) == events


@pytest.mark.parametrize("there", [False, True])
def test_subscription_is_created_with_its_filter(bus, monkeypatch, there):
    # SNS's error; the emulator ignores other attributes of an existing subscription.
    asked: list[bytes] = []
    done = "<SubscribeResponse><SubscribeResult><SubscriptionArn>s1</SubscriptionArn>"
    done += "</SubscribeResult></SubscribeResponse>"
    wrong = "<ErrorResponse><Error><Code>InvalidParameter</Code></Error></ErrorResponse>"

    def answer(request, body: bytes) -> None:
        asked.append(body)
        if b"Action=CreateTopic" in body:
            content = "<CreateTopicResponse><CreateTopicResult><TopicArn>t1</TopicArn>"
            reply(request, 200, f"{content}</CreateTopicResult></CreateTopicResponse>".encode())
        elif there and b"Action=Subscribe" in body and b"FilterPolicy" in body:
            reply(request, 400, wrong.encode())
        else:
            reply(request, 200, done.encode())

    with Server(answer) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SNS", server.url)
        sns = sns_client()
        provision_bus(sns, bus.sqs, f"filter-{there}-", [NOTES])
    actions = [body.partition(b"Action=")[2].partition(b"&")[0] for body in asked]
    assert actions == [
        b"CreateTopic",
        b"Subscribe",
        *([b"Subscribe"] if there else []),
        b"SetSubscriptionAttributes",
        b"SetSubscriptionAttributes",
    ]
    assert b"RawMessageDelivery" in asked[1]
    assert b"FilterPolicy" in asked[1]
