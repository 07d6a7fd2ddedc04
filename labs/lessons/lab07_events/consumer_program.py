"""A consumer of events that can be applied, can never be applied, or have to wait.

Prints how often each was tried, and what is in the queue and in the dead-letter queue.
"""

import json
import os
import sys
from collections import Counter
from collections.abc import Sequence

from chassis.clock import utc_now, uuid7
from chassis.errors import Unavailable
from chassis.messaging.aws_clients import sns_client, sqs_client
from chassis.messaging.consumer import MAX_ATTEMPTS, Consumer
from chassis.messaging.events import Event
from chassis.messaging.sns_topic import Topic
from chassis.messaging.sqs_queue import Message, Queue
from chassis.messaging.subscriptions import Subscription, provision_bus

GOOD, BAD, LATE = "lab.good", "lab.bad", "lab.late"
ROUNDS = 2 * MAX_ATTEMPTS
GOOD_EVENTS = 5


class ImpatientQueue(Queue):
    """A queue that delivers a message again at once, instead of after some seconds."""

    def change_visibility(self, messages: Sequence[Message], seconds: int) -> None:  # noqa: ARG002
        """Return messages to the queue."""
        super().change_visibility(messages, 0)


class Bench:
    """A topic, a queue behind it, and the consumer with its handlers."""

    def __init__(self) -> None:
        sns, sqs = sns_client(), sqs_client(1)
        made = provision_bus(sns, sqs, "labs-", (Subscription("lab", (GOOD, BAD, LATE)),))["lab"]
        self._topic, self._sqs, self._url = Topic(sns, made.topic_arn), sqs, made.queue_url
        self.queue = ImpatientQueue(sqs, made.queue_url, made.dead_letter_queue_url)
        self._dead = Queue(sqs, made.dead_letter_queue_url, "")
        self.applied: Counter[str] = Counter()
        self.tried: Counter[str] = Counter()
        self.down = False
        self._consumers: dict[int, Consumer] = {}

    def publish(self, kind: str, count: int = 1) -> None:
        """Publish events of a type."""
        self._topic.publish(
            [Event(uuid7(), kind, "/lab", uuid7(), 1, utc_now(), {}) for _ in range(count)]
        )

    def send(self, body: str) -> None:
        """Put a message into the queue that is no event."""
        self._sqs.send_message(QueueUrl=self._url, MessageBody=body)

    def consume(self, rounds: int, queue: Queue | None = None) -> None:
        """Consume some batches, each if there is something."""
        consumer = self._consumer(queue or self.queue)
        for _ in range(rounds):
            consumer.consume_batch()
            if not sum(self.depth()):
                break

    def depth(self) -> tuple[int, int]:
        """Return how many messages are in the queue, hidden ones included, and dead letters."""
        depth = self.queue.depth()
        return depth.queued + depth.in_flight, depth.dead_letters

    def dead_letters(self) -> list[str]:
        """Take the dead letters; return the reason of each."""
        reasons: list[str] = []
        while batch := self._dead.receive(0):
            for message in batch:
                reasons.append(message.attributes.get("reason", {}).get("StringValue", ""))
            self._dead.delete(batch)
        return reasons

    def queue_without_dead_letters(self) -> Queue:
        """Return the queue, with a dead-letter queue that does not exist."""
        return ImpatientQueue(self._sqs, self._url, f"{self._url}-missing")

    def _consumer(self, queue: Queue) -> Consumer:
        # One for a queue: it remembers the attempts.
        handlers = {GOOD: self._good, BAD: self._bad, LATE: self._late}
        new = Consumer(queue, handlers, lambda: None, utc_now, 0)
        return self._consumers.setdefault(id(queue), new)

    def _good(self, event: Event) -> None:
        self.applied[event.type] += 1

    def _bad(self, event: Event) -> None:
        self.tried[event.type] += 1
        msg = "no such thread"
        raise LookupError(msg)

    def _late(self, event: Event) -> None:
        self.tried[event.type] += 1
        if self.down:
            detail = "The database is temporarily unavailable."
            raise Unavailable(detail)
        self.applied[event.type] += 1


def main() -> int:
    """Print what happens to each kind of event."""
    os.environ.update(json.loads(sys.argv[1]))
    bench = Bench()
    found: dict[str, object] = {"most": MAX_ATTEMPTS, "good_events": GOOD_EVENTS}

    bench.publish(BAD)
    bench.publish(GOOD, GOOD_EVENTS)
    bench.consume(ROUNDS)
    found["bad"] = {
        "tried": bench.tried[BAD],
        "applied": bench.applied[GOOD],
        "queued": bench.depth()[0],
        "reasons": bench.dead_letters(),
    }

    bench.send("nonsense")
    bench.consume(1)
    found["malformed"] = {"queued": bench.depth()[0], "reasons": bench.dead_letters()}

    bench.down = True
    bench.publish(LATE)
    bench.consume(ROUNDS)
    waiting = bench.depth()[0]
    bench.down = False
    bench.consume(2)
    found["outage"] = {
        "waiting": waiting,
        "applied": bench.applied[LATE],
        "reasons": bench.dead_letters(),
    }

    bench.send("nonsense")
    bench.consume(1, bench.queue_without_dead_letters())
    found["unreachable"] = {"queued": bench.depth()[0]}
    sys.stdout.write(json.dumps(found) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
