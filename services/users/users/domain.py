"""The definition of the domain of users, used by the rest of the system."""

from chassis.domain import Domain
from users import events
from users.dynamodb import tables
from users.dynamodb.index_check import UserIndexCheck
from users.dynamodb.records import UserRecords

DOMAIN = Domain(
    name="users",
    label="accounts",
    port=8101,
    tables=tables.TABLES,
    replaced_tables=(tables.USERS, tables.USERNAMES, tables.ERASURES, tables.IDEMPOTENCY),
    event_types=(events.REGISTERED, events.UPDATED, events.SUSPENDED, events.ERASED),
    consumed_event_types=(events.FORGOTTEN,),
    record_store=UserRecords,
    index_check=UserIndexCheck,
    signs_sessions=True,
)
