"""Events once more: `python -m forum.replay`, with the monolith's environment."""

import sys

from chassis import settings
from chassis.messaging import replay
from chassis.messaging.bus import component_queue
from forum.bootstrap import Bootstrap
from forum.settings import ForumSettings


def main() -> int:
    """Publish the monolith's events again, or put its dead letters back in its queue."""
    configured = settings.load_settings(ForumSettings, needed=settings.BUS_SETTINGS)
    return replay.main(Bootstrap(configured).outbox, component_queue(configured, 1), sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
