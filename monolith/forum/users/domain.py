"""The definition of the domain of users, used by the rest of the forum."""

from forum.domain import Domain
from forum.users import events
from forum.users.index_check import UserIndexCheck
from forum.users.records import UserRecords

DOMAIN = Domain(
    name="users",
    label="accounts",
    event_types=events.ALL,
    record_store=UserRecords,
    index_check=UserIndexCheck,
    acknowledgement_types=(events.FORGOTTEN,),
)
