"""The monolith's worker: `python -m forum.worker`, with the monolith's environment."""

import sys

from chassis import logs, settings, worker
from chassis.bus import Queue, Topic, connect_queue, connect_topic
from chassis.consumer import Consumer
from chassis.relay import Relay
from forum.parts import COMPONENT, Parts
from forum.settings import ForumSettings


def main() -> int:
    """Publish the monolith's events and apply those of others, until asked to stop."""
    configured = settings.load(ForumSettings)
    if not configured.extracted:
        sys.stderr.write("nothing is extracted: there is nobody to exchange events with\n")
        return 2
    logs.configure(COMPONENT)
    parts, wait = Parts(configured), configured.events_wait_seconds
    consumer = Consumer(
        Queue(connect_queue(wait), configured.events_queue_url, configured.events_dead_letters_url),
        parts.handlers(),
        parts.database.check,
        parts.clock,
        wait,
    )
    topic = Topic(connect_topic(), configured.events_topic_arn)
    return worker.run(Relay(parts.outbox, topic), consumer, parts.outbox, parts.clock)


if __name__ == "__main__":
    sys.exit(main())
