"""The service's own DynamoDB tables.

The load on each partition, and its limit (a DynamoDB partition serves 3,000 read and
1,000 write units a second; one unit reads 4 KB strongly consistent, or writes 1 KB; a write in a
transaction costs two):

- `posts`: a partition per thread, in the order of writing. A page of a thread is one strongly
  consistent query from either end, so people see their own reply at once. A post of 2 KB
  (Markdown and HTML) costs 4 write units. One thread allows 250 new posts a second (see below),
  and 3,000 / (20 * 2 / 4) = 300 reads of a page of 20 posts a second. Threads are independent.
  Two indexes contain the posts that are not deleted, and may lag behind:
  - `by-author`: a partition per person; 500 posts a second of one person.
  - `recent`: the global list, spread over `SHARDS` partitions; 2,000 posts a second in total.
    Each page reads every shard, so more shards would allow more posts but cost more per read.
- `posts-places`: a partition per post, with the id of its thread. Written in the post's own
  transaction, so that a post can be read by its id strongly consistently, in two gets.
- `posts-threads`: a partition per thread, with its existence, its lock and the time of its newest
  post: the service's replica of threads. A page of a thread reads it once, and so does a new
  post: 3,000 a second in one thread, more than the thread's posts themselves allow.
- `posts-people`: a partition per person: the service's replica of users. A change of name is one
  write. A page reads each of its authors once, a write reads its author: up to 3,000 reads a
  second per person.
- `posts-responses`: a partition per owner of idempotency keys, with the responses of 24 hours.
- `posts-outbox`: see `chassis.messaging.dynamodb_outbox.outbox_table`.
- `posts-moving`: see `chassis.ownership.state.ownership_table`.

The guarantee that a locked thread gets no further post has a cost in a hot thread. Each new post
checks the thread's item in its own transaction, and records its time there, for 2 write units: that
alone would allow 500 posts a second. But DynamoDB allows only one transaction at a time on an item,
even for a check, so the
posts of one thread are written one after another: expect about 100 a second. Conflicting writers
retry for about a second, and get a 503 with `Retry-After` after that. Readers and writers in other
threads are not affected. Locking and unlocking compete with them in the same way.

After a thread was deleted, the worker deletes its posts, 20 per transaction, for as many write
units as they had cost. Transactions run one after another, about 500 posts a second, a quarter of
the capacity of each partition of `recent`. Until then the posts remain only in the global list and
in the lists by person.

A post is at most 64 KB of Markdown and 128 KiB of HTML (`chassis.markdown`), below the 400 KB
limit of an item. A query of DynamoDB ends at 1 MB: a page of 50 posts is one query for posts of up
to 20 KB each, and one more for every further MB.
"""

from chassis.dynamodb.tables import Index, Table
from chassis.idempotency import store
from chassis.messaging import dynamodb_outbox
from chassis.ownership import state

SHARDS = 4

POSTS = Table(
    "posts",
    partition="thread_id",
    sort="id",
    indexes=(
        Index("by-author", partition="author_id", sort="id"),
        Index("recent", partition="list_shard", sort="id"),
    ),
)
LOCATIONS = Table("posts-places", partition="id")
THREADS = Table("posts-threads", partition="id")
USERS = Table("posts-people", partition="id")
IDEMPOTENCY = store.idempotency_table("posts")
OUTBOX = dynamodb_outbox.outbox_table("posts")
OWNERSHIP = state.ownership_table("posts")

TABLES = (POSTS, LOCATIONS, THREADS, USERS, IDEMPOTENCY, OUTBOX, OWNERSHIP)
