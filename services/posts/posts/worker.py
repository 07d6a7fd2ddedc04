"""The service's worker: `python -m posts.worker`, with the service's environment."""

import sys

from chassis import logs, settings, worker
from chassis.bus import Queue, Topic, connect_queue, connect_topic
from chassis.clock import utc_now
from chassis.consumer import Consumer
from chassis.relay import Relay
from posts.app import COMPONENT, build_database, build_outbox, build_store
from posts.replicas import Replicas
from posts.settings import PostsSettings


def main() -> int:
    """Publish the service's events and apply those of others, until asked to stop."""
    logs.configure(COMPONENT)
    configured = settings.load(PostsSettings)
    wait = configured.events_wait_seconds
    database = build_database(configured)
    outbox, store = build_outbox(database), build_store(database)
    consumer = Consumer(
        Queue(connect_queue(wait), configured.events_queue_url, configured.events_dead_letters_url),
        Replicas(database, outbox).handlers(),
        store.check,
        utc_now,
        wait,
    )
    topic = Topic(connect_topic(), configured.events_topic_arn)
    return worker.run(Relay(outbox, topic), consumer, outbox, utc_now)


if __name__ == "__main__":
    sys.exit(main())
