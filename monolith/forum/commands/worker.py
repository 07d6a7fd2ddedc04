"""The monolith's worker: `python -m forum worker`, with the monolith's environment."""

import sys
from collections.abc import Sequence

from chassis import logs, settings
from chassis.commands import USAGE_ERROR
from chassis.messaging import worker
from forum.bootstrap import COMPONENT, Bootstrap
from forum.settings import ForumSettings


def main(_arguments: Sequence[str] = ()) -> int:
    """Publish the monolith's events and apply those of others, until a signal arrives."""
    configured = settings.load_settings(ForumSettings)
    if not configured.extracted and not configured.live_extraction:
        sys.stderr.write("No domain is extracted, so there are no events to process.\n")
        return USAGE_ERROR
    # Only now: without extracted domains, no bus has to be configured.
    parts = Bootstrap(settings.load_settings(ForumSettings, needed=settings.BUS_SETTINGS))
    logs.configure(COMPONENT, configured.log_format)
    check = parts.database.check
    return worker.main(parts.settings, parts.outbox, parts.event_handlers(), check, parts.clock)
