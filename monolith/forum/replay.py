"""Events once more: `python -m forum.replay`, with the monolith's environment."""

import sys

from chassis import settings
from chassis.messaging import replay
from chassis.messaging.bus import own_queue
from forum.bootstrap import Parts
from forum.settings import ForumSettings


def main() -> int:
    """Publish the monolith's events again, or put its dead letters back in its queue."""
    configured = settings.load(ForumSettings, needed=settings.BUS)
    return replay.main(Parts(configured).outbox, own_queue(configured, 1), sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
