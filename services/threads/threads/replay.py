"""Events once more: `python -m threads.replay`, with the service's environment."""

import sys

from chassis import settings
from chassis.messaging import replay
from chassis.messaging.bus import component_queue
from threads.bootstrap import build_database, build_outbox
from threads.settings import ThreadsSettings


def main() -> int:
    """Publish the service's events again, or put its dead letters back in its queue."""
    configured = settings.load_settings(ThreadsSettings, needed=settings.BUS_SETTINGS)
    outbox = build_outbox(build_database(configured))
    return replay.main(outbox, component_queue(configured, 1), sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
