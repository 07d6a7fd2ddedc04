"""The service's own DynamoDB tables.

Which partition carries which load, and its ceiling (a DynamoDB partition serves 3,000 read and
1,000 write units a second; one unit reads 4 KB strongly consistent, or writes 1 KB; a write in a
transaction costs two):

- `posts`: a partition per thread, in the order of writing, so that a page of a thread is one
  strongly consistent query from either end and people see their own reply at once. A post of 2 KB
  (its Markdown and its HTML) costs 4 write units: one thread could take 250 posts a second (see
  below), and serves 3,000 / (20 * 2 / 4) = 300 pages of 20 posts a second. Threads don't touch
  each other.
  Two indexes hold the posts that are not deleted and may lag behind:
  - `by-author`: a partition per person; 500 posts a second of one person.
  - `recent`: the list of all, spread over `SHARDS` partitions; 2,000 posts a second in all. Each
    page reads every shard, so more shards would take more posts but cost more on each read.
- `posts-places`: a partition per post; says in which thread it is. Written in the post's own
  transaction, so that a post is read by its id strongly consistently, in two gets.
- `posts-threads`: a partition per thread; whether it is there and takes posts: this service's own
  replica. A page of a thread reads it once, and so does a post: 3,000 a second in one thread, more
  than the thread's posts themselves allow.
- `posts-people`: a partition per person; who they are by now, this service's own replica. Their
  next name is one write. A page reads each of its authors once, a write its own person: 3,000 a
  second that one person is on.
- `posts-idempotency`: a partition per key.
- `posts-outbox`: see `chassis.messaging.dynamodb_outbox.table`.
- `posts-moving`: see `chassis.ownership.state.table`.

What it costs a hot thread that no post gets in behind its end. Each new post checks the thread's
item in its own transaction, for 2 write units: that alone would allow 500 posts a second. But
DynamoDB lets only one transaction at a time touch an item, even to check it, so the posts of one
thread are written one after another: expect about 100 a second. Writers that meet wait and try
again for about a second, and get a 503 with `Retry-After` after that; those in other threads feel
nothing, nor do readers. A lock and its end wait their turn among them in the same way.

When a thread was deleted, the worker deletes its posts, 20 in a transaction, for as many write
units as they had cost. One transaction follows another, about 500 posts a second, which takes a
quarter of what each partition of `recent` allows. Until it is done they still show in the lists
over everything and by person, and nowhere else.

A post is at most 64 KB of Markdown and 128 KiB of HTML (`chassis.markdown`), below the 400 KB
that an item may have. A page of DynamoDB ends at 1 MB: a page of 50 posts is one query up to
20 KB each, and one more for every further MB.
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
