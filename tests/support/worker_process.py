"""A worker process for tests.

It publishes what is in the outbox of notes, and applies `note.created` by adding to a table; a
`note.slow` takes two seconds, and a `note.deadly` ends the consumer.
"""

import sys
import time

from chassis import logs, settings
from chassis.clock import utc_now, uuid7
from chassis.dynamodb.database import Database, connect
from chassis.dynamodb.tables import Table
from chassis.messaging import dynamodb_outbox, worker
from chassis.messaging.dynamodb_outbox import DynamoOutbox
from chassis.messaging.events import Event
from chassis.settings import BUS_SETTINGS, BusSettings

OUTBOX = dynamodb_outbox.outbox_table("notes")
APPLIED = Table("notes-applied", "id")
TABLES = (OUTBOX, APPLIED)
SLOW_SECONDS = 2.0


def main() -> int:
    """Run until a signal arrives."""
    logs.configure("notes")
    configured = settings.load_settings(BusSettings, needed=BUS_SETTINGS)
    database = Database(connect(), sys.argv[1])

    def apply(event: Event) -> None:
        item = {"id": event.id, "note": event.subject}
        database.put_item_if(APPLIED.name, item, "attribute_not_exists(id)")

    def slowly(event: Event) -> None:
        item = {"id": f"began {event.subject}"}
        database.put_item_if(APPLIED.name, item, "")
        time.sleep(SLOW_SECONDS)
        apply(event)

    def deadly(event: Event) -> None:
        sys.exit(f"{event.subject} was too much")

    return worker.main(
        configured,
        DynamoOutbox(database, OUTBOX.name, "notes", utc_now, uuid7, types=("note.created",)),
        {"note.created": apply, "note.slow": slowly, "note.deadly": deadly},
        lambda: database.check_table(APPLIED),
        utc_now,
    )


if __name__ == "__main__":
    sys.exit(main())
