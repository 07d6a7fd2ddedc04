"""Copies that differ from their owner's records are found, named and repaired, at any stage."""

from collections.abc import Iterator
from typing import Any

import pytest

from chassis.dynamodb.database import Database, Item
from chassis.ownership.records import TOMBSTONE, Record, delete_all_items
from chassis.ownership.state import ownership_table
from extraction.tests.conftest import MakeForum
from extraction.tests.support.history import History
from extraction.tests.support.live_forum import MONOLITH, LiveForum
from infra import stages
from infra.domains import SERVICES
from recovery.__main__ import main as command
from recovery.holders import find_holders
from recovery.reconcile import RESTORED, Reconciliation, Report, raise_versions
from tests.support.dynamo import Dynamo
from threads.dynamodb.postings import title_keys

STAGES = [stage for stage in stages.all_stages() if stage]
BEGINNING = (*["register_user"] * 3, *["start_thread"] * 3, *["write_post"] * 8, "edit_post")
LATER = (
    *("rename_user", "edit_post", "edit_post", "write_post", "write_post", "delete_post"),
    *("rename_thread", "start_thread", "write_post", "lock_thread"),
)


def begin(forum: LiveForum, *operations: str) -> History:
    history = History(forum)
    for number, operation in enumerate(operations or BEGINNING):
        history.write(operation, number, number)
    forum.settle()
    return history


def reconcile(forum: LiveForum, *, repair: bool) -> Report:
    return Reconciliation(
        forum.endpoints, forum.extracted, repair=repair, pause=forum.time.sleep
    ).run()


@pytest.fixture(params=STAGES, ids=stages.stage_name)
def forum(make_forum: MakeForum, request: pytest.FixtureRequest) -> Iterator[LiveForum]:
    made = make_forum(request.param)
    yield made
    made.close()


def test_equal_copies_do_not_differ(forum: LiveForum) -> None:
    history = begin(forum, *BEGINNING, *LATER, "erase_user", "delete_thread")
    report = reconcile(forum, repair=True)
    assert report.differences == []
    assert report.compared["users"] == len(history.records["users"])
    history.check_settled()


def test_change_on_its_way_is_no_difference(forum: LiveForum) -> None:
    history = begin(forum)
    for number, operation in enumerate(LATER):
        history.write(operation, number, number)
    assert reconcile(forum, repair=True).differences == []
    forum.settle()
    history.check_settled()


def test_lost_events_are_made_up_for(forum: LiveForum) -> None:
    history = begin(forum)
    for number, operation in enumerate((*LATER, "erase_user", "delete_thread")):
        history.write(operation, number, number)
    for component in forum.components:
        lose_events(forum, component)
    found = reconcile(forum, repair=False).differences
    assert found
    assert {one.domain for one in found} <= {"users", "threads", "posts"}
    assert reconcile(forum, repair=False).differences == found, "reading repairs nothing"
    assert set(map(str, reconcile(forum, repair=True).differences)) >= set(map(str, found))
    forum.settle()
    assert reconcile(forum, repair=False).differences == []
    history.check_settled()


def test_copy_with_another_content_is_replaced(forum: LiveForum) -> None:
    begin(forum)
    damaged = damage_copies(forum)
    found = reconcile(forum, repair=True).differences
    assert {(one.domain, one.component) for one in found} == damaged
    assert {one.problem for one in found} <= {"differs in display_name", "differs in title"}
    forum.settle()
    assert reconcile(forum, repair=False).differences == []


def test_wrong_count_is_corrected(forum: LiveForum) -> None:
    history = begin(forum)
    thread = next(iter(history.records["threads"]))
    if "threads" in forum.extracted:
        database = forum.endpoints.dynamo
        key = {"id": thread}
        database.transact([database.update_fields("threads", key, {"post_count": 99})])
    else:
        with forum.endpoints.sql.engine.begin() as connection:
            connection.exec_driver_sql(f"UPDATE threads SET post_count = 99 WHERE id = '{thread}'")
    [found] = reconcile(forum, repair=True).differences
    assert found.problem.startswith("post_count is 99, not ")
    history.check_settled()


def test_damaged_entries_are_named_and_repaired(forum: LiveForum) -> None:
    history = begin(forum, *BEGINNING, *LATER, "erase_user", "delete_thread")
    damaged = damage_entries(forum, history)
    for repair in (False, True):
        found = reconcile(forum, repair=repair).differences
        for domain, one, component, problem in damaged:
            said = [
                difference.problem
                for difference in found
                if (difference.domain, difference.id, difference.component)
                == (domain, one, component)
            ]
            assert problem in "; ".join(said)
    forum.settle()
    assert reconcile(forum, repair=False).differences == []
    history.check_settled()


@pytest.mark.parametrize("repair", [False, True], ids=["compared", "repaired"])
def test_record_that_changes_meanwhile_is_compared_again(
    make_forum: MakeForum, monkeypatch: pytest.MonkeyPatch, repair: bool
) -> None:
    forum = make_forum(frozenset(stages.DOMAINS))
    history = begin(forum)
    # Between a record and its entry: each write changes both.
    changes = {
        "users-names": ["erase_user"],
        "threads-words": ["rename_thread"],
        "posts-places": ["delete_thread"],
    }
    read = Database.get_items

    def change_first(self: Database, *wanted: Any, **options: Any) -> Any:
        if self is forum.endpoints.dynamo and wanted and changes.get(wanted[0][0]):
            history.write(changes[wanted[0][0]].pop(), 0, 0)
            forum.settle()
        return read(self, *wanted, **options)

    monkeypatch.setattr(Database, "get_items", change_first)
    assert reconcile(forum, repair=repair).differences == []
    assert changes == {"users-names": [], "threads-words": [], "posts-places": []}
    forum.settle()
    history.check_settled()
    forum.close()


def test_username_of_two_users_is_named_and_left_alone(make_forum: MakeForum) -> None:
    forum = make_forum(frozenset(stages.DOMAINS))
    history = begin(forum)
    database = forum.endpoints.dynamo
    first, second = [
        one for one, user in history.records["users"].items() if user["username"] != "mona"
    ][:2]
    name = history.records["users"][first]["username"]
    database.transact([database.update_fields("users", {"id": second}, {"username": name})])
    found = [one for one in reconcile(forum, repair=True).differences if one.component == "users"]
    assert any(f"username {name!r} is also that of {first}" in str(one) for one in found)
    claim = database.get("users-names", {"name": name})
    assert claim == {"name": name, "id": first}
    forum.close()


@pytest.mark.parametrize("domain", stages.DOMAINS)
def test_service_is_restored(make_forum: MakeForum, domain: str) -> None:
    forum = make_forum(frozenset(stages.DOMAINS))
    history = begin(forum)
    backup = dump(forum, domain)
    for number, operation in enumerate((*LATER, "erase_user", "delete_thread", *LATER)):
        history.write(operation, number, number)
    forum.settle()
    seen = everything(forum, domain)
    erased = {one for one, record in everything(forum, "users").items() if record["erased"]}

    put_back(forum, domain, backup)
    raise_versions(forum.endpoints.service_records[domain])
    assert reconcile(forum, repair=True).differences
    forum.settle()

    assert reconcile(forum, repair=True).differences == []
    now = everything(forum, domain)
    kept = {record["id"] for record in backup[SERVICES[domain].tables[0].name]}
    for one, record in now.items():
        if one in kept and not is_gone(record):
            assert record["version"] > max(seen[one]["version"], RESTORED)
    for holder in find_holders(forum.endpoints, "users", forum.extracted):
        copies = holder.read_copies([{"id": one} for one in erased])
        assert {copy["erased"] for copy in copies.values()} == {True}
    assert {everything(forum, "users")[one]["erased"] for one in erased} == {True}
    forum.close()


@pytest.mark.parametrize("domain", stages.DOMAINS)
def test_service_is_restored_from_side_tables(
    make_forum: MakeForum, dynamo: Dynamo, domain: str, capsys: pytest.CaptureFixture[str]
) -> None:
    forum = make_forum(frozenset(stages.DOMAINS))
    history = begin(forum)
    side = dynamo.provision(SERVICES[domain].tables)
    backup = dump(forum, domain)
    for name, items in backup.items():
        dynamo.fill(side + name, items)
    for number, operation in enumerate((*LATER, "erase_user", "delete_thread", *LATER)):
        history.write(operation, number, number)
    forum.settle()
    seen, others = everything(forum, domain), dump_others(forum, domain)
    ownership = forum.endpoints.dynamo.scan(ownership_table(domain).name, None)[0]

    prefix = forum.endpoints.table_prefix
    prefixes = ("--source-prefix", side, "--prefix", prefix)
    assert command(["restore-tables", domain, *prefixes]) == 0

    now = everything(forum, domain)
    live = {one for one, record in now.items() if not is_gone(record)}
    assert now.keys() == {record["id"] for record in backup[SERVICES[domain].tables[0].name]}
    assert f"{len(live)} records have a later version" in capsys.readouterr().out
    for one in live & seen.keys():
        assert now[one]["version"] > max(seen[one]["version"], RESTORED)
    assert dump_others(forum, domain) == others
    assert forum.endpoints.dynamo.scan(ownership_table(domain).name, None)[0] == ownership
    assert reconcile(forum, repair=True).differences
    forum.settle()
    assert reconcile(forum, repair=True).differences == []
    forum.close()


def test_incomplete_side_tables_delete_nothing(make_forum: MakeForum, dynamo: Dynamo) -> None:
    forum = make_forum(frozenset(stages.DOMAINS))
    begin(forum)
    before = dump(forum, "posts")
    side = dynamo.provision(SERVICES["posts"].tables[:1])
    prefixes = ("--source-prefix", side, "--prefix", forum.endpoints.table_prefix)
    assert command(["restore-tables", "posts", *prefixes]) == 1
    assert dump(forum, "posts") == before
    forum.close()


def is_gone(record: Record) -> bool:
    return bool(TOMBSTONE in record or record.get("deleted") or record.get("erased"))


def dump_others(forum: LiveForum, domain: str) -> dict[str, list[Item]]:
    """Return the items of the other services."""
    found: dict[str, list[Item]] = {}
    for other in forum.extracted - {domain}:
        found |= dump(forum, other)
    return found


def lose_events(forum: LiveForum, component: str) -> None:
    outbox = forum.outbox(component)
    while events := list(outbox.load_unpublished(50)):
        outbox.mark_published(events)


def damage_copies(forum: LiveForum) -> set[tuple[str, str]]:
    """Change one copy in each replica, and leave its version; return the domains and holders."""
    changed = {"users": ("display_name", "Mallory"), "threads": ("title", "Wrong")}
    damaged = set()
    for domain, (field, value) in changed.items():
        if domain in forum.extracted:
            with forum.endpoints.sql.engine.begin() as connection:
                first = f"SELECT min(id) FROM {domain} WHERE version > 0"
                connection.exec_driver_sql(
                    f"UPDATE {domain} SET {field} = '{value}' WHERE id = ({first})"
                )
            damaged.add((domain, MONOLITH))
    tables = {("users", "threads"): "threads-people", ("users", "posts"): "posts-people"}
    tables[("threads", "posts")] = "posts-threads"
    for (domain, component), table in tables.items():
        if component in forum.extracted:
            database = forum.endpoints.dynamo
            item = min(database.scan(table, None)[0], key=lambda one: one["id"])
            field, value = changed[domain]
            action = database.update_fields(table, {"id": item["id"]}, {field: value})
            database.transact([action])
            damaged.add((domain, component))
    return damaged


def everything(forum: LiveForum, domain: str) -> dict[str, Record]:
    store: Any = forum.endpoints.monolith_records[domain]
    if domain in forum.extracted:
        store = forum.endpoints.service_records[domain]
    found: dict[str, Record] = {}
    after: str | None = ""
    while after is not None:
        records, after = store.read_page(after, 100)
        found |= {record["id"]: record for record in records}
    return found


def dump(forum: LiveForum, domain: str) -> dict[str, list[Item]]:
    database = forum.endpoints.dynamo
    return {table.name: database.scan(table.name, None)[0] for table in SERVICES[domain].tables}


def put_back(forum: LiveForum, domain: str, backup: dict[str, list[Item]]) -> None:
    database = forum.endpoints.dynamo
    delete_all_items(database, SERVICES[domain].tables)
    for name, items in backup.items():
        for item in items:
            database.put_item_if(name, item, "")


Damage = tuple[str, str, str, str]
"""A domain, the id of a record, a component, and a part of what reconciliation should say."""


def damage_entries(forum: LiveForum, history: History) -> list[Damage]:
    """Damage an entry of each kind at its component; return what was done."""
    done = list[Damage]()
    for domain, damage in (
        ("users", _damage_users),
        ("threads", _damage_threads),
        ("posts", _damage_posts),
    ):
        live = [
            (one, record)
            for one, record in sorted(everything(forum, domain).items())
            if TOMBSTONE not in record and not record.get("erased") and not record.get("deleted")
        ]
        if domain in forum.extracted:
            done += damage(forum.endpoints.dynamo, live)
    with forum.endpoints.sql.engine.begin() as connection:
        run = connection.exec_driver_sql
        if "users" not in forum.extracted:
            [(one, name)] = run("SELECT id, username_key FROM users WHERE username_key = 'mona'")
            run("UPDATE users SET username_key = NULL WHERE id = ?", (one,))
            done.append(("users", one, MONOLITH, f"username {name!r} is not claimed"))
            [(gone,)] = run("SELECT id FROM users WHERE erased")
            run("UPDATE users SET username_key = 'gone' WHERE id = ?", (gone,))
            done.append(("users", gone, MONOLITH, "username 'gone' is claimed, but not the user's"))
        (one, word) = run("SELECT thread_id, word FROM thread_words ORDER BY 1, 2").all()[0]
        run("DELETE FROM thread_words WHERE thread_id = ? AND word = ?", (one, word))
        done.append(("threads", one, MONOLITH, f"not found by {word}"))
        [(gone,)] = run("SELECT id FROM threads WHERE deleted AND version > 0 LIMIT 1")
        run("INSERT INTO thread_words (word, thread_id) VALUES ('stray', ?)", (gone,))
        done.append(("threads", gone, MONOLITH, "found by stray"))
    return done


def _damage_users(database: Database, live: list[tuple[str, Record]]) -> list[Damage]:
    (first, ann), (second, bob), *_ = live
    database.delete_items("users-names", [{"name": ann["username"]}])
    database.put_items("users-names", [{"name": bob["username"], "id": "nobody"}])
    database.put_items("users-names", [{"name": "stray", "id": "nowhere"}])
    shard = {"list_shard": "9"}
    database.transact([database.update_fields("users", {"id": first}, shard)])
    return [
        ("users", first, "users", "index key differs: list_shard"),
        ("users", first, "users", f"username {ann['username']!r} is not claimed"),
        ("users", second, "users", f"username {bob['username']!r} is claimed by nobody"),
        ("users", "nowhere", "users", "username 'stray' is claimed, but not the user's"),
    ]


def _damage_threads(database: Database, live: list[tuple[str, Record]]) -> list[Damage]:
    (first, one), (second, _), *_ = live
    [word, *_] = sorted(title_keys(one["title"]))
    database.delete_items("threads-words", [{"word": word, "thread_id": first}])
    strays = [{"word": "stray", "thread_id": second}, {"word": "lost", "thread_id": "nowhere"}]
    database.put_items("threads-words", strays)
    key = {"activity_key": "9999#wrong"}
    database.transact([database.update_fields("threads", {"id": first}, key)])
    return [
        ("threads", first, "threads", f"not found by {word}"),
        ("threads", first, "threads", "index key differs: activity_key"),
        ("threads", second, "threads", "found by stray"),
        ("threads", "nowhere", "threads", "found by lost"),
    ]


def _damage_posts(database: Database, live: list[tuple[str, Record]]) -> list[Damage]:
    (first, _), (second, other), (third, _), *_ = live
    database.delete_items("posts-places", [{"id": first}])
    database.put_items("posts-places", [{"id": second, "thread_id": "elsewhere"}])
    database.put_items("posts-places", [{"id": "nowhere", "thread_id": other["thread_id"]}])
    for post, record in live:
        if post == third:
            key = {"thread_id": record["thread_id"], "id": third}
            database.transact([database.update_fields("posts", key, {"author_id": "somebody"})])
    return [
        ("posts", first, "posts", "not located"),
        ("posts", second, "posts", "located in thread elsewhere"),
        ("posts", third, "posts", "index key differs: author_id"),
        ("posts", "nowhere", "posts", f"located in thread {other['thread_id']}, but not there"),
    ]
