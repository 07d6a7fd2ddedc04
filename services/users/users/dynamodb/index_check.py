"""Comparison of the claims of usernames, and of the list's keys, with the users."""

import json
from collections.abc import Sequence

from chassis.dynamodb.database import Database, Item, list_shard
from chassis.ownership.index_check import ATTEMPTS, apply_repair
from chassis.ownership.records import Record, id_batches
from users.dynamodb import tables
from users.model import username_key

USERS, USERNAMES = tables.USERS.name, tables.USERNAMES.name


class UserIndexCheck:
    """Implementation of `chassis.ownership.index_check.IndexCheck`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def check_records(self, records: Sequence[Record], *, repair: bool) -> dict[str, str]:
        """Find users whose name is not claimed for them, or who are missing in the list."""
        wrong = dict[str, str]()
        suspects = [record["id"] for record in records if not record["erased"]]
        for _ in range(ATTEMPTS):
            if not suspects:
                break
            users = self._db.get_by_partition(USERS, "id", suspects)
            names = [username_key(user["username"]) for user in users.values()]
            claims = self._db.get_by_partition(USERNAMES, "name", names)
            again = self._db.get_by_partition(USERS, "id", suspects)
            suspects = []
            for one, user in users.items():
                if again.get(one) != user:
                    suspects.append(one)
                elif problem := self._check(user, claims, repair=repair):
                    wrong[one] = problem
        return wrong

    def check_entries(
        self, after: str, limit: int, *, repair: bool
    ) -> tuple[dict[str, str], str | None]:
        """Find claims of usernames by nobody who has them."""
        found, last = self._db.scan(USERNAMES, json.loads(after) if after else None, limit=limit)
        # The user may have been erased since the claims were read.
        now = list[Item]()
        for names in id_batches([claim["name"] for claim in self._stray(found)]):
            now += self._db.get_by_partition(USERNAMES, "name", names).values()
        wrong = dict[str, str]()
        for claim in self._stray(now):
            name, user_id = claim["name"], claim["id"]
            wrong[user_id] = f"username {name!r} is claimed, but not the user's"
            if repair:
                condition = "attribute_not_exists(id) OR version = :known"
                user = self._db.condition_check(
                    USERS, {"id": user_id}, condition, known=claim["known"]
                )
                freed = self._db.delete(USERNAMES, {"name": name}, "id = :id", id=user_id)
                apply_repair(self._db, [freed, user])
        return wrong, json.dumps(last) if last else None

    def _check(self, user: Item, claims: dict[str, Item], *, repair: bool) -> str:
        key, name = {"id": user["id"]}, username_key(user["username"])
        shard = {"list_shard": list_shard(user["id"], tables.SHARDS)}
        unchanged = {"condition": "version = :known", "known": user["version"]}
        problems = []
        if user.get("list_shard") != shard["list_shard"]:
            problems.append("index key differs: list_shard")
            if repair:
                apply_repair(self._db, [self._db.update_fields(USERS, key, shard, **unchanged)])
        claim = claims.get(name)
        if claim is None or claim["id"] != user["id"]:
            problems.append(self._describe(name, claim))
            # Of two users with one name, only an operator can tell whose it is.
            if repair and not self._is_right(claim):
                condition = "id = :other" if claim else "attribute_not_exists(id)"
                other = {"other": claim["id"]} if claim else {}
                mine = {"name": name, "id": user["id"]}
                claimed = self._db.put(USERNAMES, mine, condition, **other)
                check = self._db.condition_check(USERS, key, **unchanged)
                apply_repair(self._db, [claimed, check])
        return "; ".join(problems)

    def _describe(self, name: str, claim: Item | None) -> str:
        if claim is None:
            return f"username {name!r} is not claimed"
        if self._is_right(claim):
            return f"username {name!r} is also that of {claim['id']}"
        return f"username {name!r} is claimed by {claim['id']}"

    def _is_right(self, claim: Item | None) -> bool:
        """Return whether there is a claim, and its user has the name."""
        owner = self._db.get(USERS, {"id": claim["id"]}) if claim else None
        return bool(claim and owner and username_key(owner["username"]) == claim["name"])

    def _stray(self, claims: Sequence[Item]) -> list[Item]:
        """Return the claims whose user does not have the name, with the user's version."""
        users = dict[str, Item]()
        for ids in id_batches([claim["id"] for claim in claims]):
            users |= self._db.get_by_partition(USERS, "id", ids)
        return [
            claim | {"known": users.get(claim["id"], {}).get("version", 0)}
            for claim in claims
            if claim["id"] not in users
            or username_key(users[claim["id"]]["username"]) != claim["name"]
        ]
