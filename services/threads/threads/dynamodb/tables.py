"""The service's own DynamoDB tables.

Which partition carries which load, and its ceiling (a DynamoDB partition serves 3,000 read and
1,000 write units a second; one unit reads 4 KB strongly consistent, or writes 1 KB; a write in a
transaction costs two):

- `threads`: a partition per thread; reads of one thread are strongly consistent. Its indexes
  `by-activity` and `by-age` spread the two lists of all over `SHARDS` partitions and may lag
  behind: up to 4,000 new or changed threads a second. A deleted thread keeps its item, without
  what the indexes need.
- `threads-words`: a partition per word of titles, with a posting for each thread that has it:
  up to 500 threads a second whose titles share a word. Reads are strongly consistent.
- `threads-posts`: the tally, a partition per thread with an item per post (200 bytes: which of its
  versions was counted, and whether it was deleted then), so that each post counts once in whatever
  order its events come. Nobody reads it but the worker.
- `threads-people`: a partition per person; who they are by now, this service's own replica. Their
  next name is one write. A page reads each of its authors once, a write its own person: 3,000 a
  second that one person is on.
- `threads-idempotency`: a partition per key.
- `threads-outbox`: see `chassis.messaging.dynamodb_outbox.table`.
- `threads-moving`: see `chassis.ownership.state.table`.

What the tally costs. A post that is written or deleted costs 2 read units, and in one transaction
2 write units on its tally and 2 on the thread's item, and what that changes in the indexes: 1 in
`by-age`, and 2 in `by-activity` where the thread moves up. So the posts of one thread are counted
at 500 a second at most, and those of all threads of a shard of `by-activity` at 500 as well: 2,000
in all. A hot thread stays below that: transactions on one item refuse each other, and those that
were refused wait a little and try again. What is more than that waits in the queue, where it delays
the counts and nothing else. An edit of a thread meets a count in the same item only for the moment
of a write; neither has a condition on what the other changes, and the one refused tries again by
itself. An edit of a post costs 2 write units on its tally, and none on the thread.

The tally of a deleted thread stays: it is bounded by the posts that were counted by then (events
that come later leave nothing), nobody reads it, and it names nobody. Removing it would take the
worker through up to all posts of a thread for 200 bytes each.
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
    """Return a thread's place in the list by activity, from the time of the latest one."""
    return f"{active}#{thread_id}"
