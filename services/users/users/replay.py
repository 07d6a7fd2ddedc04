"""Events once more: `python -m users.replay`, with the service's environment."""

import sys

from chassis import replaying, settings
from chassis.bus import Queue, connect_queue
from users.app import build_database, build_outbox
from users.settings import UsersSettings


def main() -> int:
    """Publish the service's events again, or put its dead letters back in its queue."""
    configured = settings.load(UsersSettings)
    queue = Queue(connect_queue(1), configured.events_queue_url, configured.events_dead_letters_url)
    return replaying.main(build_outbox(build_database(configured)), queue, sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
