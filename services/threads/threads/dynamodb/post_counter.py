"""Post counter of threads: counts each post once, in any order of its versions.

The tally stores the counted version of each post. Counts and the latest activity are attributes of
a thread's item that users don't edit, so neither write overwrites the other.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

from chassis.clock import Clock, clamp_to_present, format_timestamp, parse_timestamp
from chassis.concurrency import retry_on_conflict
from chassis.dynamodb.database import Action, Database, Item, TransactionCanceled
from chassis.ownership.index_check import apply_repair
from chassis.ownership.records import TOMBSTONE, Record, id_batches
from threads.dynamodb import items, tables

THREADS = tables.THREADS.name
TALLY = tables.TALLY.name
MAX_POSTS = 98  # with the thread's own item below what one call reads and one transaction writes
# Only a thread that is not deleted has a count.
LIVE = "attribute_exists(post_count)"
UNCHANGED = "attribute_not_exists(version) OR version = :known"


class UnknownThread(Exception):
    """A post was written in a thread that never existed here."""


class ConcurrentCount(Exception):
    """The thread's count changed since it was read, or the thread was deleted."""


@dataclass(frozen=True)
class CountedPost:
    """A version of a post, to be counted in its thread.

    `created_at` is in the format of `chassis.clock.format_timestamp`; `event_id` is that of the
    event with this version, if there is one.
    """

    id: str
    version: int
    deleted: bool
    created_at: str
    event_id: str = ""

    def item(self) -> Item:
        """Return the tally's item of the post."""
        origin = {"event_id": self.event_id} if self.event_id else {}
        return {"version": self.version, "deleted": self.deleted} | origin


def _is_closed(thread: Item | None) -> bool:
    return thread is not None and items.is_deleted(thread)


class PostCounter:
    """Updates the tally and the counters."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._db = database
        self._clock = clock

    def count(self, thread_id: str, posts: Sequence[CountedPost]) -> None:
        """Count these versions of up to `MAX_POSTS` posts of a thread.

        Raises:
            UnknownThread: the thread does not exist and never did.
        """
        retry_on_conflict(lambda: self._try_to_count(thread_id, posts), ConcurrentCount)

    def project(self, record: Record) -> Record:
        """Return what is counted of a post, from its owner's record."""
        return {name: record[name] for name in ("id", "version", "deleted")}

    def read_page(self, after: str, limit: int) -> tuple[list[Record], str | None]:
        """Read a page of counted posts; those of deleted threads are tombstones."""
        found, last = self._db.scan(TALLY, json.loads(after) if after else None, limit=limit)
        return self._copies(found), json.dumps(last) if last else None

    def read_copies(self, records: Sequence[Record]) -> dict[str, Record]:
        """Read what is counted of up to 100 posts."""
        keys = ({"thread_id": one["thread_id"], "post_id": one["id"]} for one in records)
        found = self._db.get_items(*((TALLY, key) for key in keys))
        return {copy["id"]: copy for copy in self._copies([item for item in found if item])}

    def recount(self, thread_ids: Sequence[str], *, repair: bool) -> dict[str, str]:
        """Compare the counts of threads with their tallies; return what differs, by thread.

        `repair` corrects the counts, unless they change meanwhile.
        """
        wrong = dict[str, str]()
        for thread in self._db.get_by_partition(THREADS, "id", thread_ids).values():
            if items.is_deleted(thread):
                continue
            counted, after = 0, ""
            while tallied := self._db.query(
                TALLY,
                "thread_id = :thread AND post_id > :after",
                limit=1000,
                ascending=True,
                thread=thread["id"],
                after=after,
            ):
                counted += sum(not item["deleted"] for item in tallied)
                after = tallied[-1]["post_id"]
            seen = thread["post_count"]
            if counted == seen:
                continue
            again = self._db.get(THREADS, {"id": thread["id"]})
            if again is None or again.get("post_count") != seen:
                continue  # a post was counted in the meantime
            wrong[thread["id"]] = f"post_count is {seen}, not {counted}"
            if repair:
                change, condition = "SET post_count = :right", "post_count = :seen"
                values = {"right": counted, "seen": seen}
                correction = self._db.update(
                    THREADS, {"id": thread["id"]}, change, condition, **values
                )
                apply_repair(self._db, [correction])
        return wrong

    def _copies(self, found: Sequence[Item]) -> list[Record]:
        threads = dict[str, Item]()
        for ids in id_batches(list({item["thread_id"]: None for item in found})):
            threads |= self._db.get_by_partition(THREADS, "id", ids)
        return [
            {
                "id": item["post_id"],
                "thread_id": item["thread_id"],
                "version": item["version"],
                "deleted": item["deleted"],
            }
            | ({TOMBSTONE: True} if _is_closed(threads.get(item["thread_id"])) else {})
            for item in found
        ]

    def write_records(self, records: Sequence[Record]) -> None:
        """Count posts from their owner's records."""
        shown = (record for record in records if TOMBSTONE not in record)
        by_thread = sorted(shown, key=itemgetter("thread_id"))
        for thread_id, posts in groupby(by_thread, key=itemgetter("thread_id")):
            counted = [
                CountedPost(one["id"], one["version"], one["deleted"], one["created_at"])
                for one in posts
            ]
            for first in range(0, len(counted), MAX_POSTS):
                try:
                    self.count(thread_id, counted[first : first + MAX_POSTS])
                except UnknownThread:
                    break  # it was created after its page was copied; events bring its posts

    def _try_to_count(self, thread_id: str, posts: Sequence[CountedPost]) -> None:
        keys = [{"thread_id": thread_id, "post_id": post.id} for post in posts]
        thread, *found = self._db.get_items(
            (THREADS, {"id": thread_id}), *((TALLY, key) for key in keys)
        )
        if thread is None:
            # A thread exists before its posts: a missing one is an error for operators.
            raise UnknownThread(thread_id)
        if items.is_deleted(thread):
            return
        actions, added, activity = list[Action](), 0, ""
        for post, key, known in zip(posts, keys, found, strict=True):
            if known and known["version"] >= post.version:
                continue
            version = known["version"] if known else 0
            actions.append(self._db.put(TALLY, key | post.item(), UNCHANGED, known=version))
            added += int(not post.deleted) - int(known is not None and not known["deleted"])
            if not known:
                # Not again with a later version: in the meantime, "now" would have become later.
                activity = max(activity, self._clamped(post.created_at))
        if not actions:
            return
        try:
            self._db.transact([*actions, *self._update_thread(thread, added, activity)])
        except TransactionCanceled as canceled:
            raise ConcurrentCount from canceled

    def _clamped(self, created_at: str) -> str:
        """Clamp a post's time: one from a fast clock would keep its thread on top of the list."""
        return format_timestamp(clamp_to_present(parse_timestamp(created_at), self._clock()))

    def _update_thread(self, thread: Item, added: int, activity: str) -> list[Action]:
        """Build the action that changes a thread's count and latest activity, if one is needed.

        Counts can be added in any order, so they need no condition on the count that was read.
        The latest activity does, or it could decrease.
        """
        key = {"id": thread["id"]}
        change = "SET post_count = post_count + :added"
        if activity > thread["last_activity_at"]:
            return [
                self._db.update(
                    THREADS,
                    key,
                    f"{change}, last_activity_at = :activity, activity_key = :activity_key",
                    f"{LIVE} AND last_activity_at < :activity",
                    added=added,
                    activity=activity,
                    activity_key=tables.activity_key(activity, thread["id"]),
                )
            ]
        return [self._db.update(THREADS, key, change, LIVE, added=added)] if added else []
