"""The definition of the domain of posts, used by the rest of the system."""

from chassis.domain import Domain
from posts import events
from posts.dynamodb import tables
from posts.dynamodb.index_check import PostIndexCheck
from posts.dynamodb.records import PostRecords
from posts.dynamodb.thread_replica import ThreadReplica
from posts.dynamodb.user_replica import UserReplica

DOMAIN = Domain(
    name="posts",
    label="posts",
    port=8103,
    tables=tables.TABLES,
    replaced_tables=(
        *(tables.POSTS, tables.LOCATIONS, tables.THREADS, tables.USERS),
        tables.IDEMPOTENCY,
    ),
    event_types=(events.CREATED, events.UPDATED, events.DELETED),
    acknowledged_event_types=(events.FORGOTTEN,),
    consumed_event_types=(
        *(events.USER_REGISTERED, events.USER_UPDATED, events.USER_SUSPENDED, events.USER_ERASED),
        *(events.THREAD_CREATED, events.THREAD_UPDATED, events.THREAD_DELETED),
    ),
    record_store=PostRecords,
    index_check=PostIndexCheck,
    replicas={"users": UserReplica, "threads": ThreadReplica},
    peers=("threads",),
)
