"""Checks of lab 7: what remains in tables, outboxes and queues when something fails in between."""

from pathlib import Path
from typing import Any, NoReturn

from labs.event_probe import environment, observe, run_bus
from labs.outcome import CheckInconclusive, fail
from labs.slow_writes import run_datastore
from labs.workspace import Workspace

STORE = "monolith/forum/posts/store.py"
RELAY = "chassis/chassis/messaging/relay.py"
OUTBOX = "chassis/chassis/messaging/dynamodb_outbox.py"
COUNTER = "services/threads/threads/dynamodb/post_counter.py"
REPLICA = "chassis/chassis/dynamodb/versioned_items.py"
CONSUMER = "chassis/chassis/messaging/consumer.py"
QUEUE = "chassis/chassis/messaging/sqs_queue.py"
PAGE = "docs/adr/0014-events.md"
MOST_ATTEMPTS = 4
"""The largest number of attempts to publish in a second."""
_HERE = Path(__file__).parent
_WRITE_SECONDS = 0.12
_CLOCK_SECONDS = 5  # that a delivery may take on a busy machine
"""The delay of a write, so that consumers of the same event overtake each other."""


def check_outbox(workspace: Workspace) -> None:
    """Check that an edit and its event are in the database together, whenever the process dies."""
    where = workspace.find_line(STORE, "def change(")
    edits = observe(workspace, _HERE / "edit_program.py", {}, PAGE)["edits"]
    for number, edit in enumerate(edits, start=1):
        killed = not edit["status"]
        asked = f"PATCH /api/posts/<id>, killed before commit {number}" if killed else "an edit"
        if not killed and edit["status"] != 200:
            fail(
                "edit",
                asked="PATCH /api/posts/<id>",
                got=str(edit["status"]),
                expected="200",
                where=where,
                why="The contract is the same with and without events.",
                page=PAGE,
            )
        _check_edit(edit, asked, where, killed=killed)
    if edits[-1]["status"] == 0:
        msg = "the process was killed in each of its edits"
        raise CheckInconclusive(msg)


def _check_edit(edit: dict[str, Any], asked: str, where: str, *, killed: bool) -> None:
    version, updates = edit["version"], [one for one in edit["events"] if one[0] == "post.updated"]
    got = f"the post has version {version}; events: {_listed(updates)}"

    def differ(name: str, expected: str, why: str) -> NoReturn:
        fail(name, asked=asked, got=got, expected=expected, where=where, why=why, page=PAGE)

    if version == 1 and updates:
        differ(
            "phantom",
            "version 1, and no event",
            "Other components now show a text that does not exist here, and never will.",
        )
    if version == 2 and not updates:
        differ(
            "lost" if killed else "no-event",
            "version 2, and an event of version 2",
            "The edit is stored, and no other component will ever learn of it.",
        )
    if version == 2 and [one[1:] for one in updates] != [[2, edit["body"]]]:
        differ(
            "old-state",
            f"one event, of version 2, with the text {edit['body']!r}",
            "An event carries the state after the change. Consumers ignore an older version.",
        )


def _listed(events: list[list[object]]) -> str:
    return ", ".join(f"version {version} with {body!r}" for _, version, body in events) or "none"


def check_relay(workspace: Workspace) -> None:
    """Check that each event is published, and marked only once the topic has accepted it."""
    with run_datastore() as datastore, run_bus() as bus:
        variables = environment(datastore=datastore.port, bus=bus)
        found = observe(workspace, _HERE / "relay_program.py", variables, PAGE)
    where = workspace.find_line(RELAY, "def publish_pending(")
    _check_publishing(found, where)
    refused, down = found["refused"], found["down"]
    if refused["waiting"] != ["d"] or "d" not in refused["arrived"]:
        fail(
            "lost",
            asked="publish_pending() with events c, d and e, of which the topic refuses d",
            got=f"still in the outbox: {', '.join(refused['waiting']) or 'none'}",
            expected="d, which the next call publishes",
            where=where,
            why="An event that is marked without having been accepted is never sent.",
            page=PAGE,
        )
    if down["waiting"] != ["f"]:
        fail(
            "lost",
            asked="publish_pending() with event f, while the topic is unreachable",
            got=f"still in the outbox: {', '.join(down['waiting']) or 'none'}",
            expected="f",
            where=where,
            why="An event that is marked before it is published is lost in an outage.",
            page=PAGE,
        )
    _check_run(found["recovery"], workspace.find_line(RELAY, "def run("))
    backlog = found["backlog"]
    if backlog["oldest"] not in backlog["read"]:
        fail(
            "starved",
            asked="load_unpublished(2) of an outbox with events 000 to 039",
            got=", ".join(backlog["read"]) or "none",
            expected=f"the oldest of each shard, so {backlog['oldest']} is among them",
            where=workspace.find_line(OUTBOX, "def load_unpublished("),
            why="While new events arrive, an old one would wait forever behind them.",
            page=PAGE,
        )


def _check_publishing(found: dict[str, Any], where: str) -> None:
    first = found["first"]
    if first["arrived"] != ["a", "b"]:
        fail(
            "not-published",
            asked="publish_pending() with events a and b in the outbox",
            got=f"in the queue: {', '.join(first['arrived']) or 'none'}",
            expected="a, b",
            where=where,
            why="Nothing else sends what is in an outbox.",
            page=PAGE,
        )
    if first["waiting"] or found["again"]:
        fail(
            "duplicates",
            asked="publish_pending() a second time",
            got=f"in the queue again: {', '.join(found['again']) or 'none'}",
            expected="none: a published event is marked",
            where=where,
            why="Each event would be sent several times a second, for seven days.",
            page=PAGE,
        )


def _check_run(recovery: dict[str, Any], where: str) -> None:
    if not recovery["tried"]:
        msg = "the relay did not try to publish while the topic was unreachable"
        raise CheckInconclusive(msg)
    if recovery["died"] or not recovery["arrived"]:
        ended = "run() ended" if recovery["died"] else "event f did not arrive"
        fail(
            "gives-up",
            asked="run() while the topic is unreachable for a moment",
            got=ended,
            expected="event f in the queue, as soon as the topic is back",
            where=where,
            why="After an outage, no person should have to look for relays to start again.",
            page=PAGE,
        )
    if recovery["tried"] > MOST_ATTEMPTS:
        fail(
            "storm",
            asked="run() while the topic is unreachable for a second",
            got=f"{recovery['tried']} attempts to publish",
            expected=f"at most {MOST_ATTEMPTS}, with longer and longer pauses",
            where=where,
            why="A bus that is overloaded does not recover under the attempts of all relays.",
            page=PAGE,
        )
    if not recovery["stopped"]:
        fail(
            "endless",
            asked="run() after its flag was set",
            got="it goes on",
            expected="it returns",
            where=where,
            why="A deployment stops the old worker, and waits for it.",
            page=PAGE,
        )


def check_replicas(workspace: Workspace) -> None:
    """Check that events change a replica once, twice delivered, late, raced or interrupted."""
    with run_datastore() as datastore, datastore.delayed(_WRITE_SECONDS):
        variables = environment(datastore=datastore.port)
        found = observe(workspace, _HERE / "replica_program.py", variables, PAGE)
        overtook = datastore.most_at_once > 1
    where = workspace.find_line(COUNTER, "def _try_to_count(")

    def expect(added: int, expected: int, asked: str, why: str) -> None:
        if added == expected:
            return
        name = "counted-twice" if added > expected else "not-counted"
        got, wanted = f"post_count {added:+d}", f"post_count {expected:+d}"
        fail(name, asked=asked, got=got, expected=wanted, where=where, why=why, page=PAGE)

    once = "SQS delivers at least once: a message comes again if its acknowledgement is lost."
    expect(found["once"], 1, "the event of a new post", "Readers see the count in each list.")
    expect(found["again"], 0, "the same event again", once)
    if found["late"] != 0:
        fail(
            "older-wins",
            asked="version 2 of a post (deleted), and then version 1 (created)",
            got=f"post_count {found['late']:+d}",
            expected="post_count +0",
            where=where,
            why="Queues don't keep the order. A late event must not undo a newer one.",
            page=PAGE,
        )
    if found["name"] != "Ada Lovelace":
        fail(
            "older-wins",
            asked="a user's version 3 (Ada Lovelace), then 2 (Ada), then again 3 (Ada L.)",
            got=f"the author's name is {found['name']}",
            expected="Ada Lovelace: a stored version is replaced only by a newer one",
            where=workspace.find_line(REPLICA, "def store("),
            why="Queues don't keep the order. A late event must not undo a newer one.",
            page=PAGE,
        )
    if found["renamed"] != "Ada King":
        fail(
            "not-replaced",
            asked="the user's version 4 (Ada King), after these",
            got=f"the author's name is {found['renamed']}",
            expected="Ada King",
            where=workspace.find_line(REPLICA, "def store("),
            why="A replica that never changes shows a name that its owner has given up.",
            page=PAGE,
        )
    if found["deleted"] != -1:
        fail(
            "not-subtracted",
            asked="the deletion of a post that was counted",
            got=f"post_count {found['deleted']:+d}",
            expected="post_count -1",
            where=where,
            why="Readers would see posts that they can't find.",
            page=PAGE,
        )
    expect(
        found["race"],
        1,
        "an event that two consumers apply at the same time",
        "Both have read that it is new. Only a condition within the transaction decides.",
    )
    if not overtook:
        msg = "the two consumers did not write at the same time"
        raise CheckInconclusive(msg)
    for writes, added in enumerate(found["crashes"], start=1):
        expect(
            added,
            1,
            f"an event whose consumer dies after write {writes}, and the same event again",
            "The record of what was counted and the count must be one transaction.",
        )
    _check_activity(found, where)


def _check_activity(found: dict[str, Any], where: str) -> None:
    for name, asked, why in (
        ("active", "a post of 30 seconds ago", "The list of threads is sorted by activity."),
        ("clamped", "a post of a clock that is an hour ahead", "It would stay on top for an hour."),
    ):
        if abs(found[name]) > _CLOCK_SECONDS:
            fail(
                "wrong-activity",
                asked=f"{asked}, then the thread's latest activity",
                got=f"{found[name]:+.1f} s beside it",
                expected="the time of the post, but no later than now",
                where=where,
                why=why,
                page=PAGE,
            )


def check_dead_letters(workspace: Workspace) -> None:
    """Check that an event that can never be applied leaves the queue, and no other does."""
    with run_bus() as bus:
        found = observe(workspace, _HERE / "consumer_program.py", environment(bus=bus), PAGE)
    where = workspace.find_line(CONSUMER, "def _apply(")
    _check_bad_event(found, where)
    malformed = found["malformed"]
    if len(malformed["reasons"]) != 1:
        fail(
            "retried",
            asked="a message that is no event, received once",
            got=f"{malformed['queued']} in the queue, {len(malformed['reasons'])} dead letters",
            expected="1 dead letter at once",
            where=where,
            why="No repetition makes a malformed message valid.",
            page=PAGE,
        )
    outage, unreachable = found["outage"], found["unreachable"]
    if outage["reasons"]:
        fail(
            "buried",
            asked="an event whose handler raises Unavailable 10 times, and then works",
            got=f"a dead letter: {outage['reasons'][0]}",
            expected="the event waits in the queue, and is applied afterwards",
            where=where,
            why="An outage of a minute would move every event to the dead letters.",
            page=PAGE,
        )
    if outage["waiting"] != 1 or outage["applied"] != 1:
        fail(
            "lost",
            asked="an event whose handler raises Unavailable 10 times, and then works",
            got=f"{outage['waiting']} in the queue meanwhile; applied {outage['applied']} times",
            expected="1 in the queue meanwhile; applied once",
            where=where,
            why="An event that is acknowledged before it is applied is gone if that fails.",
            page=PAGE,
        )
    if unreachable["queued"] != 1:
        fail(
            "lost",
            asked="a message that is no event, while the dead-letter queue is unreachable",
            got=f"{unreachable['queued']} in the queue",
            expected="1, until it is a dead letter",
            where=workspace.find_line(QUEUE, "def dead_letter("),
            why="Sent first and deleted then: twice does no harm, not at all does.",
            page=PAGE,
        )


def _check_bad_event(found: dict[str, Any], where: str) -> None:
    bad, most, good = found["bad"], found["most"], found["good_events"]
    asked = f"an event whose handler always fails, and {good} others"
    dead = len(bad["reasons"])
    got = f"attempts: {bad['tried']}; in the queue: {bad['queued']}; dead letters: {dead}"
    expected = f"attempts: {most}; in the queue: 0; dead letters: 1, with the error's name"

    def differ(name: str, why: str) -> NoReturn:
        fail(name, asked=asked, got=got, expected=expected, where=where, why=why, page=PAGE)

    if bad["queued"]:
        differ(
            "blocked",
            "It would be tried until it expires after four days, and every such event slows down"
            " the others.",
        )
    if not dead:
        differ("dropped", "Without a trace, no person can find the reason and repair the data.")
    if bad["tried"] != most or "LookupError" not in bad["reasons"][0]:
        differ(
            "attempts",
            "A few attempts survive an error that passes, and the reason says where to look.",
        )
    if bad["applied"] != good:
        fail(
            "not-applied",
            asked=asked,
            got=f"{bad['applied']} of the others applied",
            expected=f"{good}, once each",
            where=where,
            why="One event that can't be applied must not hold back the others.",
            page=PAGE,
        )


CHECKS = (check_outbox, check_relay, check_replicas, check_dead_letters)
