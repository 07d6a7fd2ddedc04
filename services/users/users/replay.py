"""Events once more: `python -m users.replay`, with the service's environment."""

import sys

from chassis import settings
from chassis.messaging import replay
from chassis.messaging.bus import own_queue
from users.bootstrap import build_database, build_outbox
from users.settings import UsersSettings


def main() -> int:
    """Publish the service's events again, or put its dead letters back in its queue."""
    configured = settings.load(UsersSettings, needed=settings.BUS)
    outbox = build_outbox(build_database(configured))
    return replay.main(outbox, own_queue(configured, 1), sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
