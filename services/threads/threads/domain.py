"""The definition of the domain of threads, used by the rest of the system."""

from chassis.clock import utc_now
from chassis.domain import Domain
from threads import events
from threads.dynamodb import tables
from threads.dynamodb.index_check import ThreadIndexCheck
from threads.dynamodb.post_counter import PostCounter
from threads.dynamodb.records import ThreadRecords
from threads.dynamodb.user_replica import UserReplica

DOMAIN = Domain(
    name="threads",
    label="threads",
    port=8102,
    tables=tables.TABLES,
    replaced_tables=(
        *(tables.THREADS, tables.WORDS, tables.TALLY, tables.USERS),
        tables.IDEMPOTENCY,
    ),
    event_types=(events.CREATED, events.UPDATED, events.DELETED),
    acknowledged_event_types=(events.FORGOTTEN,),
    consumed_event_types=(
        *(events.USER_REGISTERED, events.USER_UPDATED, events.USER_SUSPENDED, events.USER_ERASED),
        *(events.POST_CREATED, events.POST_UPDATED, events.POST_DELETED),
    ),
    record_store=lambda database: ThreadRecords(database, utc_now),
    index_check=ThreadIndexCheck,
    replicas={
        "users": UserReplica,
        "posts": lambda database: PostCounter(database, utc_now),
    },
    peers=("posts",),
)
