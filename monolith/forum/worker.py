"""The monolith's worker: `python -m forum.worker`, with the monolith's environment."""

import sys

from chassis import logs, settings
from chassis.messaging import worker
from forum.bootstrap import COMPONENT, Bootstrap
from forum.settings import ForumSettings


def main() -> int:
    """Publish the monolith's events and apply those of others, until asked to stop."""
    configured = settings.load_settings(ForumSettings)
    if not configured.extracted and not configured.live_extraction:
        sys.stderr.write("nothing is extracted: there is nobody to exchange events with\n")
        return 2
    # Not before: where nothing is extracted nobody should be asked for the addresses of a bus.
    parts = Bootstrap(settings.load_settings(ForumSettings, needed=settings.BUS_SETTINGS))
    logs.configure(COMPONENT)
    check = parts.database.check
    return worker.main(parts.settings, parts.outbox, parts.handlers(), check, parts.clock)


if __name__ == "__main__":
    sys.exit(main())
