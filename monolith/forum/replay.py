"""Events once more: `python -m forum.replay`, with the monolith's environment."""

import sys

from chassis import replaying, settings
from chassis.bus import Queue, connect_queue
from forum.parts import Parts
from forum.settings import ForumSettings


def main() -> int:
    """Publish the monolith's events again, or put its dead letters back in its queue."""
    configured = settings.load(ForumSettings)
    queue = Queue(connect_queue(), configured.events_queue_url, configured.events_dead_letters_url)
    return replaying.main(Parts(configured).outbox, queue, sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
