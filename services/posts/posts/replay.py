"""Events once more: `python -m posts.replay`, with the service's environment."""

import sys

from chassis import replaying, settings
from chassis.bus import Queue, connect_queue
from posts.app import build_database, build_outbox
from posts.settings import PostsSettings


def main() -> int:
    """Publish the service's events again, or put its dead letters back in its queue."""
    configured = settings.load(PostsSettings)
    queue = Queue(connect_queue(1), configured.events_queue_url, configured.events_dead_letters_url)
    return replaying.main(build_outbox(build_database(configured)), queue, sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
