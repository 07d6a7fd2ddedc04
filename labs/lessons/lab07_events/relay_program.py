"""A relay between an outbox and a topic that works, refuses an event, or is unreachable."""

import json
import os
import sys
import traceback
from collections.abc import Sequence
from threading import Event as Flag
from threading import Thread
from time import monotonic, sleep

from chassis.clock import utc_now, uuid7
from chassis.dynamodb.database import Database, connect
from chassis.dynamodb.tables import create_tables
from chassis.errors import Unavailable
from chassis.messaging.aws_clients import sns_client, sqs_client
from chassis.messaging.dynamodb_outbox import DynamoOutbox, outbox_table
from chassis.messaging.events import Event, parse_event
from chassis.messaging.relay import Relay
from chassis.messaging.sns_topic import Topic
from chassis.messaging.sqs_queue import Queue
from chassis.messaging.subscriptions import Subscription, provision_bus

KIND, PREFIX = "lab.written", "labs-"
BACKLOG = 40
_OUTAGE_SECONDS, _RECOVERY_SECONDS, _STOP_SECONDS = 1.0, 15.0, 15.0


class Switch(Topic):
    """A topic that can be unreachable, or refuse an event."""

    down, refused, failures = False, "", 0

    def publish(self, events: Sequence[Event]) -> list[Event]:
        """Publish like a topic in this state."""
        if self.down:
            self.failures += 1
            detail = "The message bus is temporarily unavailable."
            raise Unavailable(detail)
        return super().publish([one for one in events if one.data["text"] != self.refused])


class Bench:
    """An outbox, the topic, a queue behind it, and the relay between them."""

    def __init__(self) -> None:
        table = outbox_table("lab")
        self.database = Database(connect(), PREFIX)
        create_tables(self.database.client, PREFIX, (table,))
        self.outbox = DynamoOutbox(self.database, table.name, "lab", utc_now, uuid7, types=(KIND,))
        sns, sqs = sns_client(), sqs_client(1)
        subscription = Subscription("lab", (KIND,))
        made = provision_bus(sns, sqs, PREFIX, (subscription,))["lab"]
        self.topic = Switch(sns, made.topic_arn)
        self.queue = Queue(sqs, made.queue_url, made.dead_letter_queue_url)
        self.relay = Relay(self.outbox, self.topic)

    def record(self, *texts: str) -> None:
        """Record events in one transaction."""
        self.database.transact(
            [self.outbox.record(KIND, uuid7(), 1, {"text": text}) for text in texts]
        )

    def waiting(self) -> list[str]:
        """Return the texts of the unpublished events."""
        found = self.database.scan("lab-outbox", None)[0]
        return sorted(
            parse_event(item["event"]).data["text"] for item in found if "unpublished" in item
        )

    def arrived(self) -> list[str]:
        """Take the messages out of the queue, and return their texts."""
        found: list[str] = []
        while batch := self.queue.receive(0):
            found += [parse_event(message.body).data["text"] for message in batch]
            self.queue.delete(batch)
        return sorted(found)

    def publish(self) -> str:
        """Publish once; return the error's name, if there is one."""
        try:
            self.relay.publish_pending()
        except Unavailable:
            return "Unavailable"
        return ""


def main() -> int:
    """Print what happens at each state of the topic."""
    os.environ.update(json.loads(sys.argv[1]))
    bench = Bench()
    found: dict[str, object] = {}

    bench.record("a", "b")
    bench.publish()
    found["first"] = {"arrived": bench.arrived(), "waiting": bench.waiting()}
    bench.publish()
    found["again"] = bench.arrived()

    bench.record("c", "d", "e")
    bench.topic.refused = "d"
    bench.publish()
    bench.topic.refused = ""
    waited = bench.waiting()
    bench.publish()
    found["refused"] = {"waiting": waited, "arrived": bench.arrived()}

    bench.record("f")
    bench.topic.down = True
    raised = bench.publish()
    waiting = bench.waiting()
    found["down"] = {"raised": raised, "waiting": waiting}
    # An event that is lost is not waited for.
    found["recovery"] = _recover(bench) if waiting else None

    backlog = [f"{number:03}" for number in range(BACKLOG)]
    bench.record(*backlog)
    read = [one.data["text"] for one in bench.outbox.load_unpublished(2)]
    found["backlog"] = {"oldest": backlog[0], "read": sorted(read)}
    sys.stdout.write(json.dumps(found) + "\n")
    return 0


def _recover(bench: Bench) -> dict[str, object]:
    """Run the relay while the topic is unreachable and then returns."""
    stop, bench.topic.failures = Flag(), 0
    arrived: list[str] = []

    def run() -> None:
        try:
            bench.relay.run(stop)
        except BaseException:
            traceback.print_exc()

    thread = Thread(target=run, daemon=True)
    thread.start()
    end = monotonic() + _RECOVERY_SECONDS
    while not bench.topic.failures and monotonic() < end:
        sleep(0.02)
    sleep(_OUTAGE_SECONDS)
    failures, bench.topic.down = bench.topic.failures, False
    while not arrived and thread.is_alive() and monotonic() < end:
        sleep(0.05)
        arrived += bench.arrived()
    died = not thread.is_alive()
    stop.set()
    thread.join(_STOP_SECONDS)
    return {
        "tried": failures,
        "arrived": arrived,
        "died": died,
        "stopped": not thread.is_alive(),
    }


if __name__ == "__main__":
    sys.exit(main())
