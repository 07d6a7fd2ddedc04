"""The service's own DynamoDB tables.

The load on each partition, and its limit (a DynamoDB partition serves 3,000 read and
1,000 write units a second; one unit reads 4 KB strongly consistent, or writes 1 KB; a write in a
transaction costs two):

- `threads`: a partition per thread; reads of one thread are strongly consistent. Its indexes
  `by-activity` and `by-age` spread the two global lists over `SHARDS` partitions and may lag
  behind: up to 4,000 new or changed threads a second. A deleted thread keeps its item, without
  the keys of the indexes.
- `threads-words`: a partition per key of titles (`chassis.words`), with a posting for each thread
  that has it: up to 500 threads a second whose titles share a key. Reads are strongly consistent.
- `threads-posts`: the tally, a partition per thread with an item per post (200 bytes: the counted
  version, and whether it was deleted), so that each post counts once in any order of events. Only
  the worker reads it.
- `threads-people`: a partition per person: the service's replica of users. A change of name is one
  write. A page reads each of its authors once, a write reads its author: up to 3,000 reads a
  second per person.
- `threads-responses`: a partition per owner of idempotency keys, with the responses of 24 hours.
- `threads-outbox`: see `chassis.messaging.dynamodb_outbox.outbox_table`.
- `threads-moving`: see `chassis.ownership.state.ownership_table`.

The cost of the tally: a new or deleted post costs 2 read units, and in one transaction 2 write
units on its tally item, 2 on the thread's item, and the changes of the indexes: 1 in `by-age`, and
2 in `by-activity` if the thread moves up. So at most 500 posts a second are counted in one thread,
and 500 as well in all threads of a shard of `by-activity`: 2,000 in total. A hot thread reaches
less: transactions on one item conflict, and are retried after a short wait. The rest waits in the
queue, which only delays the counts. An edit of a thread and a count conflict only during a write;
neither has a condition on the attributes that the other changes, and the refused one is retried.
An edit of a post costs 2 write units on its tally item, and none on the thread.

The tally of a deleted thread stays: it is bounded by the posts counted before (later events leave
nothing), it is not read, and it contains no personal data. To remove it, the worker would have to
visit every post of the thread for 200 bytes each.
"""

from chassis.dynamodb.tables import Index, Table
from chassis.idempotency import store
from chassis.messaging import dynamodb_outbox
from chassis.ownership import state

SHARDS = 4

THREADS = Table(
    "threads",
    partition="id",
    indexes=(
        Index("by-activity", partition="list_shard", sort="activity_key"),
        Index("by-age", partition="list_shard", sort="id"),
    ),
)
WORDS = Table("threads-words", partition="word", sort="thread_id")
TALLY = Table("threads-posts", partition="thread_id", sort="post_id")
USERS = Table("threads-people", partition="id")
IDEMPOTENCY = store.idempotency_table("threads")
OUTBOX = dynamodb_outbox.outbox_table("threads")
OWNERSHIP = state.ownership_table("threads")

TABLES = (THREADS, WORDS, TALLY, USERS, IDEMPOTENCY, OUTBOX, OWNERSHIP)


def activity_key(active: str, thread_id: str) -> str:
    """Return a thread's sort key in the list by activity, from the time of its latest activity."""
    return f"{active}#{thread_id}"
