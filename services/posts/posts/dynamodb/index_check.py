"""Comparison of the locations of posts, and of the lists' keys, with the posts."""

import json
from collections.abc import Sequence

from chassis.dynamodb.database import Database, Item
from chassis.ownership.index_check import ATTEMPTS, apply_repair, differing_keys
from chassis.ownership.records import TOMBSTONE, Record
from posts.dynamodb import items, tables

POSTS, LOCATIONS = tables.POSTS.name, tables.LOCATIONS.name
_KEYS = ("author_id", "list_shard")


class PostIndexCheck:
    """Implementation of `chassis.ownership.index_check.IndexCheck`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def check_records(self, records: Sequence[Record], *, repair: bool) -> dict[str, str]:
        """Find posts that are not found by their id, or missing in a list."""
        wrong = dict[str, str]()
        suspects = [
            {"thread_id": record["thread_id"], "id": record["id"]}
            for record in records
            if TOMBSTONE not in record
        ]
        for _ in range(ATTEMPTS):
            if not suspects:
                break
            posts = self._posts(suspects)
            locations = self._db.get_by_partition(LOCATIONS, "id", [key["id"] for key in suspects])
            again = self._posts(suspects)
            suspects = []
            for one, post in posts.items():
                if again.get(one) != post:
                    suspects.append({"thread_id": post["thread_id"], "id": post["id"]})
                elif problem := self._check(post, locations.get(post["id"]), repair=repair):
                    wrong[post["id"]] = problem
        return wrong

    def check_entries(
        self, after: str, limit: int, *, repair: bool
    ) -> tuple[dict[str, str], str | None]:
        """Find locations of posts that do not exist there."""
        locations, last = self._db.scan(
            LOCATIONS, json.loads(after) if after else None, limit=min(limit, 100)
        )
        wrong = dict[str, str]()
        stray = self._stray(locations)
        # The thread may have been deleted, and its posts with it, since the locations were read.
        now = self._db.get_by_partition(LOCATIONS, "id", [one["id"] for one in stray])
        for location in self._stray(list(now.values())):
            wrong[location["id"]] = f"located in thread {location['thread_id']}, but not there"
            if repair:
                place = {"thread_id": location["thread_id"], "id": location["id"]}
                condition, at = "thread_id = :at", location["thread_id"]
                apply_repair(
                    self._db,
                    [
                        self._db.delete(LOCATIONS, {"id": location["id"]}, condition, at=at),
                        self._db.condition_check(POSTS, place, "attribute_not_exists(id)"),
                    ],
                )
        return wrong, json.dumps(last) if last else None

    def _check(self, post: Item, location: Item | None, *, repair: bool) -> str:
        key, known = {"thread_id": post["thread_id"], "id": post["id"]}, post["version"]
        problems = []
        if location is None or location["thread_id"] != post["thread_id"]:
            where = f"located in thread {location['thread_id']}" if location else "not located"
            problems.append(where)
            if repair:
                # A thread's posts never move, so the post is right whatever the location says.
                here = {"id": post["id"], "thread_id": post["thread_id"]}
                there = self._db.condition_check(POSTS, key, "attribute_exists(id)")
                apply_repair(self._db, [self._db.put(LOCATIONS, here), there])
        full = items.to_item(items.from_item(post))
        wanted = {name: full[name] for name in _KEYS if name in full}
        have = {name: post[name] for name in _KEYS if name in post}
        if fields := differing_keys(have, wanted):
            problems.append(f"index key differs: {', '.join(fields)}")
            if repair and wanted:
                change = self._db.update_fields(POSTS, key, wanted, "version = :known", known=known)
                apply_repair(self._db, [change])
            elif repair:
                change = self._db.update(
                    POSTS, key, f"REMOVE {', '.join(fields)}", "version = :known", known=known
                )
                apply_repair(self._db, [change])
        return "; ".join(problems)

    def _posts(self, keys: Sequence[Item]) -> dict[tuple[str, str], Item]:
        found = self._db.get_items(*((POSTS, key) for key in keys))
        return {(item["thread_id"], item["id"]): item for item in found if item}

    def _stray(self, locations: Sequence[Item]) -> list[Item]:
        keys = [{"thread_id": one["thread_id"], "id": one["id"]} for one in locations]
        if not keys:
            return []
        found = self._posts(keys)
        return [one for one in locations if (one["thread_id"], one["id"]) not in found]
