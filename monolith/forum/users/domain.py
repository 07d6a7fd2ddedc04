"""The definition of the domain of users, from which other parts of the forum are derived."""

from forum.domain import Domain
from forum.users import events
from forum.users.records import UserRecords

DOMAIN = Domain(
    name="users",
    label="accounts",
    event_types=events.ALL,
    record_store=UserRecords,
    acknowledgement_types=(events.FORGOTTEN,),
)
