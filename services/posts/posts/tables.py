"""The service's own DynamoDB tables.

Which partition carries which load, and its ceiling (a DynamoDB partition serves 3,000 read and
1,000 write units a second; one unit reads 4 KB strongly consistent, or writes 1 KB; a write in a
transaction costs two):

- `posts`: a partition per thread, in the order of writing, so that a page of a thread is one
  strongly consistent query from either end and people see their own reply at once. A post of 2 KB
  (its Markdown and its HTML) costs 4 write units: one thread takes 250 posts a second and serves
  3,000 / (20 * 2 / 4) = 300 pages of 20 posts a second. Threads don't touch each other.
  Two indexes hold the posts that are not deleted and may lag behind:
  - `by-author`: a partition per person; 500 posts a second of one person.
  - `recent`: the list of all, spread over `SHARDS` partitions; 2,000 posts a second in all. Each
    page reads every shard, so more shards would take more posts but cost more on each read.
- `posts-places`: a partition per post; says in which thread it is. Written in the post's own
  transaction, so that a post is read by its id strongly consistently, in two gets.
- `posts-authors`: a partition per author; their name, of the latest version that was seen here.
  A page reads each of its authors once: 3,000 pages a second that one person has written on.
- `posts-idempotency`: a partition per key.

A post is at most 64 KB of Markdown and 128 KiB of HTML (`chassis.markdown`), below the 400 KB
that an item may have. A page of DynamoDB ends at 1 MB: a page of 50 posts is one query up to
20 KB each, and one more for every further MB.
"""

from chassis import replay
from chassis.tables import Index, Table

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
PLACES = Table("posts-places", partition="id")
AUTHORS = Table("posts-authors", partition="id")
IDEMPOTENCY = replay.table("posts")

TABLES = (POSTS, PLACES, AUTHORS, IDEMPOTENCY)
