"""The service's own DynamoDB tables.

Which partition carries which load, and its ceiling (a DynamoDB partition serves 3,000 read and
1,000 write units a second):

- `threads`: a partition per thread; reads of one thread are strongly consistent. Its indexes
  `by-activity` and `by-age` spread the two lists of all over `SHARDS` partitions and may lag
  behind: up to 4,000 new or changed threads a second. A deleted thread keeps its item, without
  what the indexes need.
- `threads-words`: a partition per word of titles, with a posting for each thread that has it:
  up to 1,000 threads a second whose titles share a word. Reads are strongly consistent.
- `threads-authors`: a partition per author; the names to show, this service's own replica.
- `threads-idempotency`: a partition per key.
"""

from chassis import replay
from chassis.tables import Index, Table

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
AUTHORS = Table("threads-authors", partition="id")
IDEMPOTENCY = replay.table("threads")

TABLES = (THREADS, WORDS, AUTHORS, IDEMPOTENCY)
