"""Replay of the monolith's events: `python -m forum replay`, with the monolith's environment."""

from collections.abc import Sequence

from chassis import settings
from chassis.messaging import replay
from chassis.messaging.sqs_queue import component_queue
from forum.bootstrap import Bootstrap
from forum.settings import ForumSettings


def main(arguments: Sequence[str]) -> int:
    """Publish the monolith's events again, or put its dead letters back in its queue."""
    configured = settings.load_settings(ForumSettings, needed=settings.BUS_SETTINGS)
    return replay.main(Bootstrap(configured).outbox, component_queue(configured, 1), arguments)
