"""Writes of a forum whose domains move, with what each acknowledged one must have left."""

from collections import Counter
from typing import Any

import pytest

from chassis.errors import CutoverInProgress, Failure
from chassis.ownership.records import TOMBSTONE, Record, RecordStore
from extraction.tests.support.live_forum import MONOLITH, LiveForum
from forum.domains import NAMES
from forum.users.port import Registration, SessionClaims
from infra.domains import SERVICES

ADDRESS = "192.0.2.1"
USERNAMES = ("ann", "bob", "cyd")
PRIVATE = {"users": ("password_hash", "requested_at")}
"""The fields of an owner's records that no event contains."""
OPERATIONS = {
    **dict.fromkeys(("register_user", "rename_user", "suspend_user"), "users"),
    **dict.fromkeys(("change_password", "leave_user", "erase_user"), "users"),
    **dict.fromkeys(("start_thread", "rename_thread", "lock_thread", "delete_thread"), "threads"),
    **dict.fromkeys(("write_post", "edit_post", "delete_post"), "posts"),
}
"""The operations, each with the domain that it writes."""


class History:
    """The writes of a forum, and the state in which each acknowledged one left its record."""

    def __init__(
        self, forum: LiveForum, acknowledged: Counter[tuple[str, str]] | None = None
    ) -> None:
        self.forum = forum
        self.records: dict[str, dict[str, Record]] = {domain: {} for domain in NAMES}
        self.claims: dict[str, list[SessionClaims]] = {}
        """The claims of each user's sessions; erased users, too, may still hold one."""
        self._acknowledged = Counter() if acknowledged is None else acknowledged
        self._number = 0
        self.moderator = self._register("mona")
        user = forum.use_cases("users").make_moderator("mona")
        self._keep("users", self.moderator, user.version, role="moderator")

    def write(self, operation: str, one: int, other: int) -> None:
        """Try an operation; the numbers choose its object and its actor."""
        self._number += 1
        self.forum.time.advance(0.5)
        domain = OPERATIONS[operation]
        owner = self.forum.owner(domain)
        try:
            done: bool | None = getattr(self, f"_{operation}")(one, other)
        except CutoverInProgress:
            return
        except Failure:
            # A lagging replica may know less than it should, but the moderator may do anything.
            if operation not in {"write_post", "edit_post", "start_thread"}:
                raise
            return
        if done is not False:
            self._acknowledged[operation, owner] += 1

    # Users.

    def _register_user(self, one: int, other: int) -> bool | None:
        name = USERNAMES[one % len(USERNAMES)]
        holder = [r for r in self.records["users"].values() if r.get("username") == name]
        if holder:
            with pytest.raises(Failure, match="taken"):
                self._register(name)
            return False
        self._register(name)
        return None

    def _register(self, name: str) -> str:
        made = self.forum.use_cases("users").register(Registration(name, "", "password"), ADDRESS)
        user_id: str = made["id"]
        self.claims[user_id] = []
        self._keep("users", user_id, 1, username=name)
        return user_id

    def _rename_user(self, one: int, other: int) -> bool | None:
        if not (user_id := self._live_user(one)):
            return False
        changes = {"display_name": f"Name {self._number}", "bio": f"Bio {self._number}"}
        self._change_user(user_id, user_id, changes)
        return None

    def _suspend_user(self, one: int, other: int) -> bool | None:
        if not (user_id := self._live_user(one)):
            return False
        suspended = not self.records["users"][user_id]["suspended"]
        self._change_user(self.moderator, user_id, {"suspended": suspended})
        return None

    def _change_user(self, actor: str, user_id: str, changes: dict[str, Any]) -> None:
        if actor == user_id and self.records["users"][user_id]["suspended"]:
            changes, actor = {"suspended": False}, self.moderator
        users, identity = self.forum.use_cases("users"), self._identity("users", actor)
        version = self.records["users"][user_id]["version"] + 1
        assert users.change(identity, user_id, changes, None).version == version
        self._keep("users", user_id, version, **changes)

    def _change_password(self, one: int, other: int) -> bool | None:
        if not (user_id := self._live_user(one)):
            return False
        known = self.records["users"][user_id]
        current, new = known["password_hash"], f"password {self._number}"
        identity = self._identity("users", user_id)
        self.forum.use_cases("users").change_password(identity, current, new)
        self._keep_ended_sessions(user_id, password_hash=new)
        return None

    def _leave_user(self, one: int, other: int) -> bool | None:
        if not (user_id := self._live_user(one)):
            return False
        self.forum.use_cases("users").sign_out_everywhere(self._identity("users", user_id))
        self._keep_ended_sessions(user_id)
        return None

    def _keep_ended_sessions(self, user_id: str, **fields: Any) -> None:
        version = self.records["users"][user_id]["version"] + 1
        self._keep("users", user_id, version, sessions_valid_from=version, **fields)

    def _erase_user(self, one: int, other: int) -> bool | None:
        if not (user_id := self._live_user(one)):
            return False
        known = self.records["users"][user_id]
        users, identity = self.forum.use_cases("users"), self._identity("users", user_id)
        users.erase(identity, user_id, known["password_hash"], None)
        self._keep("users", user_id, known["version"] + 1, erased=True)
        return None

    # Threads.

    def _start_thread(self, one: int, other: int) -> None:
        author = self._writer(one)
        threads, title = self.forum.use_cases("threads"), f"Thread {self._number}"
        made = threads.create(self._identity("threads", author, other), title)
        self._keep("threads", made["id"], 1, title=title, author_id=author)

    def _rename_thread(self, one: int, other: int) -> bool | None:
        return self._change_thread(one, {"title": f"Thread {self._number}"})

    def _lock_thread(self, one: int, other: int) -> bool | None:
        return self._change_thread(one, {"locked": bool(other % 2)})

    def _change_thread(self, one: int, changes: dict[str, Any]) -> bool | None:
        if not (thread_id := self._live_thread(one)):
            return False
        threads, identity = self.forum.use_cases("threads"), self._identity("threads")
        version = self.records["threads"][thread_id]["version"] + 1
        assert threads.change(identity, thread_id, changes, None).version == version
        self._keep("threads", thread_id, version, **changes)
        return None

    def _delete_thread(self, one: int, other: int) -> bool | None:
        if not (thread_id := self._live_thread(one)):
            return False
        version = self.records["threads"][thread_id]["version"] + 1
        self.forum.use_cases("threads").delete(self._identity("threads"), thread_id, None)
        self._keep("threads", thread_id, version, deleted=True)
        return None

    # Posts.

    def _write_post(self, one: int, other: int) -> bool | None:
        if not (thread_id := self._live_thread(other)):
            return False
        author, body = self._writer(one), f"*Post* {self._number}"
        posts = self.forum.use_cases("posts")
        made = posts.create(self._identity("posts", author, other), thread_id, body)
        self._keep("posts", made["id"], 1, thread_id=thread_id, author_id=author, body=body)
        return None

    def _edit_post(self, one: int, other: int) -> bool | None:
        if not (post_id := self._live_post(one)):
            return False
        known, body = self.records["posts"][post_id], f"*Edited* {self._number}"
        identity = self._identity("posts", known["author_id"], other)
        version = known["version"] + 1
        assert (
            self.forum.use_cases("posts").change(identity, post_id, body, None).version == version
        )
        self._keep("posts", post_id, version, body=body)
        return None

    def _delete_post(self, one: int, other: int) -> bool | None:
        if not (post_id := self._live_post(one)):
            return False
        version = self.records["posts"][post_id]["version"] + 1
        self.forum.use_cases("posts").delete(self._identity("posts"), post_id, None)
        self._keep("posts", post_id, version, deleted=True, body="")
        return None

    # What is known.

    def _keep(self, domain: str, record_id: str, version: int, **fields: Any) -> None:
        """Keep the record that an acknowledged write has left at the owner."""
        record = self.forum.read(domain, [record_id])[record_id]
        found = {name: record.get(name) for name in ("version", *fields)}
        assert found == {"version": version, **fields}
        self.records[domain][record_id] = record
        if domain == "users" and not record["erased"]:
            names = (
                *("username", "display_name", "role", "suspended", "version"),
                "sessions_valid_from",
            )
            self.claims[record_id].append(SessionClaims(*(record[name] for name in names)))

    def _identity(self, domain: str, user_id: str = "", stale: int = 0) -> Any:
        """Return an identity with current claims, or with those of the first session."""
        user_id = user_id or self.moderator
        claims = self.claims[user_id][0 if stale == 1 else -1]
        return self.forum.identity(domain, user_id, claims)

    def _live_user(self, choice: int) -> str:
        users = self.records["users"].items()
        return chosen([u for u, r in users if not r["erased"] and u != self.moderator], choice)

    def _writer(self, choice: int) -> str:
        """Choose an author; also one whose erasure or suspension a replica may not know yet."""
        return chosen([one for one in self.claims if one != self.moderator], choice)

    def _live_thread(self, choice: int) -> str:
        return chosen([t for t, r in self.records["threads"].items() if not r["deleted"]], choice)

    def _live_post(self, choice: int) -> str:
        known = self.forum.read("posts", self.records["posts"])
        live = [
            post_id
            for post_id, record in self.records["posts"].items()
            if not record["deleted"]
            and not self.records["threads"][record["thread_id"]]["deleted"]
            and TOMBSTONE not in known.get(post_id, {TOMBSTONE: True})
        ]
        return chosen(live, choice)

    # What must hold.

    def check_owners(self) -> None:
        """Compare what the owners show now with what they acknowledged."""
        for domain in NAMES:
            wanted = self._shown(domain)
            found = self.forum.read(domain, wanted)
            assert {one: found.get(one) for one in wanted} == wanted

    def check_settled(self) -> None:
        """Compare all copies, and what depends on them, once everything has arrived."""
        self.check_owners()
        for domain in NAMES:
            self._check_no_extras(domain)
            if self.forum.owner(domain) != MONOLITH:
                private = PRIVATE.get(domain, ())
                wanted = {one: _without(r, private) for one, r in self._shown(domain).items()}
                found = self.forum.read(domain, wanted, at=MONOLITH)
                copies = {one: _without(r, private) for one, r in found.items()}
                for one, record in wanted.items():
                    if domain == "threads" and record["deleted"] and one not in copies:
                        continue  # nothing refers to it
                    assert copies.get(one) == record
        self._check_replicas()
        self._check_stopped_services()
        self._check_counts()
        self._check_erasures()

    def _check_no_extras(self, domain: str) -> None:
        stores: list[RecordStore] = [self.forum.endpoints.monolith_records[domain]]
        if self.forum.owner(domain) != MONOLITH:
            stores.append(self.forum.endpoints.service_records[domain])
        for store in stores:
            after: str | None = ""
            while after is not None:
                page, after = store.read_page(after, 50)
                assert {record["id"] for record in page} <= self.records[domain].keys()

    def _check_replicas(self) -> None:
        users, threads = self.records["users"], self.records["threads"]
        for service in self.forum.extracted & {"threads", "posts"}:
            database = self.forum.endpoints.dynamo
            known = database.get_by_partition(f"{service}-people", "id", users)
            assert {u: (r["version"], r["erased"]) for u, r in known.items()} == {
                u: (r["version"], r["erased"]) for u, r in users.items()
            }
        if "posts" in self.forum.extracted:
            known = self.forum.endpoints.dynamo.get_by_partition("posts-threads", "id", threads)
            assert {t: (r["version"], r["deleted"]) for t, r in known.items()} == {
                t: (r["version"], r["deleted"]) for t, r in threads.items()
            }

    def _check_stopped_services(self) -> None:
        """Check that no service keeps data, such as erased users, after its domain has left."""
        database = self.forum.endpoints.dynamo
        for domain in set(NAMES) - self.forum.extracted:
            for table in SERVICES[domain].replaced_tables:
                assert database.scan(table.name, None) == ([], None)

    def _check_counts(self) -> None:
        live = {one: r for one, r in self.records["threads"].items() if not r["deleted"]}
        posts = [post for post in self.records["posts"].values() if not post["deleted"]]
        wanted = {one: sum(post["thread_id"] == one for post in posts) for one in live}
        threads = [self.forum.monolith.sql_threads]
        if self.forum.owner("threads") != MONOLITH:
            threads.append(self.forum.services["threads"].threads)
        for asked in threads:
            assert {one: asked.get(one).post_count for one in live} == wanted

    def _check_erasures(self) -> None:
        users = self.forum.use_cases("users")
        for user_id, record in self.records["users"].items():
            if record["erased"]:
                assert users.erasure(user_id).finished_at, "the erasure never ends"

    def _shown(self, domain: str) -> dict[str, Record]:
        """Return the records that the owner must have: no posts of deleted threads."""
        records, threads = self.records[domain], self.records["threads"]
        if domain != "posts":
            return records
        return {o: r for o, r in records.items() if not threads[r["thread_id"]]["deleted"]}


def chosen(things: list[str], choice: int) -> str:
    return things[choice % len(things)] if things else ""


def _without(record: Record, fields: tuple[str, ...]) -> Record:
    return {name: value for name, value in record.items() if name not in fields}
