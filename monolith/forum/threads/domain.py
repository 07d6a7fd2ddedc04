"""The definition of the domain of threads, used by the rest of the forum."""

from forum.domain import Domain
from forum.threads import events
from forum.threads.index_check import ThreadIndexCheck
from forum.threads.records import ThreadRecords

DOMAIN = Domain(
    name="threads",
    label="threads",
    event_types=events.ALL,
    record_store=ThreadRecords,
    index_check=ThreadIndexCheck,
    replica_has_index=True,
    may_lack_deleted=True,
)
