"""The service's worker: `python -m threads.worker`, with the service's environment."""

import sys

from chassis import logs, settings
from chassis.clock import utc_now
from chassis.messaging import worker
from threads.bootstrap import COMPONENT, build_database, build_outbox, build_standings, build_store
from threads.event_handlers import EventHandlers
from threads.settings import ThreadsSettings


def main() -> int:
    """Publish the service's events and apply those of others, until asked to stop."""
    configured = settings.load_settings(ThreadsSettings, needed=settings.BUS_SETTINGS)
    logs.configure(COMPONENT)
    database = build_database(configured)
    outbox, store = build_outbox(database), build_store(database)
    standings = build_standings(configured, database)
    handlers = EventHandlers(database, outbox, standings).handlers()
    return worker.main(configured, outbox, handlers, store.check, utc_now)


if __name__ == "__main__":
    sys.exit(main())
