"""Moves of a domain while its records change: histories that once broke one."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from extraction.__main__ import CANCEL, EXTRACT, PHASES, REINTEGRATE
from extraction.deployment.port import DeploymentError
from extraction.extraction import ExtractionStopped
from extraction.tests.conftest import MakeForum
from extraction.tests.support.history import History
from extraction.tests.support.live_forum import LiveForum
from forum.domains import NAMES
from infra.domains import SERVICES

Begin = Callable[..., tuple[LiveForum, History]]


@pytest.fixture
def begin(make_forum: MakeForum) -> Begin:
    """Return a function that starts a forum with a user, a thread and a post."""

    def begin(extracted: Iterable[str] = ()) -> tuple[LiveForum, History]:
        history = History(make_forum(frozenset(extracted)))
        for operation in ("register_user", "start_thread", "write_post"):
            history.write(operation, 0, 0)
        return history.forum, history

    return begin


def finish(history: History) -> None:
    history.forum.settle()
    history.check_settled()


def items(forum: LiveForum, domain: str) -> list[Any]:
    tables = SERVICES[domain].replaced_tables
    return [item for table in tables for item in forum.endpoints.dynamo.scan(table.name, None)[0]]


def test_password_changed_before_verification_is_copied(begin: Begin) -> None:
    forum, history = begin()
    for phase in PHASES[:3]:
        forum.run(EXTRACT, "users", phase)
    history.write("change_password", 0, 0)
    forum.run(EXTRACT, "users")
    [user] = history.records["users"].keys() - {history.moderator}
    assert forum.read("users", [user], at="users")[user]["password_hash"] == "password 4"
    finish(history)


@pytest.mark.parametrize("users", ["users", ""])
@pytest.mark.parametrize("domain", ["threads", "posts"])
def test_erasure_ends_when_the_service_that_has_not_confirmed_it_leaves(
    begin: Begin, domain: str, users: str
) -> None:
    forum, history = begin({"threads", "posts", users} - {""})
    forum.settle()
    forum.stalled[domain] = forum.time.time() + 1000
    history.write("erase_user", 0, 0)
    forum.run(REINTEGRATE, domain)
    finish(history)


def test_erasure_ends_though_the_bus_stops_before_the_monolith_reads_on(begin: Begin) -> None:
    forum, history = begin({"posts"})
    forum.settle()
    forum.stalled["monolith"] = forum.time.time() + 1000
    history.write("erase_user", 0, 0)
    forum.run(REINTEGRATE, "posts")
    finish(history)


def test_reintegration_ends_while_people_keep_writing(begin: Begin) -> None:
    """The monolith then always has an event that its worker has not published yet."""
    forum, history = begin({"threads", "posts"})
    for phase in PHASES[:-1]:
        forum.run(REINTEGRATE, "posts", phase)

    def write() -> None:
        forum.work()
        history.write("write_post", 0, 0)

    history.write("write_post", 0, 0)
    forum.time.meanwhile = write
    forum.run(REINTEGRATE, "posts", PHASES[-1])
    forum.time.meanwhile = forum.work
    finish(history)


def test_reintegration_stops_if_the_worker_of_the_monolith_publishes_nothing(
    begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    forum, history = begin({"threads", "posts"})
    for phase in PHASES[:-1]:
        forum.run(REINTEGRATE, "posts", phase)
    history.write("write_post", 0, 0)
    publish = forum.publish
    with monkeypatch.context() as patch:
        patch.setattr(forum, "publish", lambda one: one == "monolith" or publish(one))
        with pytest.raises(ExtractionStopped, match="monolith has unpublished events"):
            forum.run(REINTEGRATE, "posts", PHASES[-1])
    forum.run(REINTEGRATE, "posts", PHASES[-1])
    finish(history)


@pytest.mark.parametrize("domain", NAMES)
def test_service_whose_domain_has_left_keeps_no_data(begin: Begin, domain: str) -> None:
    forum, history = begin(NAMES)
    # Applied at the last moment before the worker stops.
    forum.stalled[domain] = forum.time.time()
    history.write("rename_user", 0, 0)
    forum.run(REINTEGRATE, domain)
    assert items(forum, domain) == []
    finish(history)


@pytest.mark.parametrize("command", [CANCEL, REINTEGRATE])
@pytest.mark.parametrize("domain", NAMES)
def test_service_of_a_cancelled_extraction_keeps_no_data(
    begin: Begin, domain: str, command: str
) -> None:
    forum, history = begin()
    for phase in PHASES[:4]:
        forum.run(EXTRACT, domain, phase)
    assert items(forum, domain)
    forum.run(command, domain)
    assert items(forum, domain) == []
    finish(history)


@pytest.mark.parametrize("extracted", [(), NAMES])
def test_cancelling_without_a_move_begins_none(begin: Begin, extracted: tuple[str, ...]) -> None:
    forum, history = begin(extracted)
    for domain in NAMES:
        forum.run(CANCEL, domain)
    assert forum.extracted == {*extracted}
    finish(history)


@pytest.mark.parametrize(("direction", "before"), [(EXTRACT, ()), (REINTEGRATE, NAMES)])
def test_move_that_stops_in_its_cutover_can_only_end(
    begin: Begin, monkeypatch: pytest.MonkeyPatch, direction: str, before: tuple[str, ...]
) -> None:
    """Each phase by a run of its own, as a state machine has it, which then repeats the cutover."""
    forum, history = begin(before)
    *phases, cutover, soak = PHASES
    for phase in phases:
        forum.run(direction, "threads", phase)

    def fail(_: object) -> None:
        msg = "no load balancer"
        raise DeploymentError(msg)

    with monkeypatch.context() as patch:
        patch.setattr(forum, "set_routes", fail)
        with pytest.raises(DeploymentError):
            forum.run(direction, "threads", cutover)
    forum.run(direction, "threads", cutover)
    with pytest.raises(ExtractionStopped, match="only `soak` is left"):
        forum.run(direction, "threads", phases[0])
    with pytest.raises(ExtractionStopped, match="has just moved"):
        forum.run(CANCEL, "threads")
    forum.run(direction, "threads", soak)
    assert ("threads" in forum.extracted) == (direction == EXTRACT)
    forum.run(direction, "threads", soak)  # whose end was not reported
    with pytest.raises(ExtractionStopped, match="threads is already owned by"):
        forum.run(direction, "threads", phases[0])
    finish(history)


def test_user_erased_after_the_backfill_stays_erased(begin: Begin) -> None:
    forum, history = begin({"users"})
    for phase in PHASES[:2]:
        forum.run(REINTEGRATE, "users", phase)
    history.write("erase_user", 0, 0)
    forum.work()  # the monolith learns of it before the mover, and with another time
    forum.run(REINTEGRATE, "users")
    finish(history)


@pytest.mark.parametrize("phases", [6, 2])
def test_erasure_that_finished_at_the_service_stays_finished(begin: Begin, phases: int) -> None:
    forum, history = begin({"posts"})
    forum.stalled["posts"] = forum.time.time() + 1000
    history.write("erase_user", 0, 0)
    forum.run(EXTRACT, "users")
    # The monolith's row still waits for posts; they confirm before or during the way back.
    for phase in PHASES[: 6 - phases]:
        forum.run(REINTEGRATE, "users", phase)
    forum.stalled.clear()
    for _ in range(3):
        forum.work()
    forum.run(REINTEGRATE, "users")
    finish(history)


def test_posts_of_a_thread_whose_deletion_the_monolith_does_not_know_may_return(
    begin: Begin,
) -> None:
    forum, history = begin({"threads", "posts"})
    forum.settle()
    forum.stalled["monolith"] = forum.time.time() + 1000
    history.write("delete_thread", 0, 0)
    for _ in range(3):
        forum.work()  # the posts service deletes the posts
    forum.run(REINTEGRATE, "posts")
    finish(history)


def test_user_erased_between_a_page_of_the_backfill_and_its_end_is_erased_there(
    begin: Begin,
) -> None:
    forum, history = begin()
    [user] = history.records["users"].keys() - {history.moderator}
    page = list(forum.read("users", [user], at="monolith").values())
    history.write("erase_user", 0, 0)
    forum.run(EXTRACT, "users", PHASES[0])
    forum.run(EXTRACT, "users", PHASES[1])  # its end copies the progress of erasures
    forum.endpoints.service_records["users"].write(page)
    forum.run(EXTRACT, "users")
    assert forum.read("users", [user], at="users")[user]["erased"]
    finish(history)


def test_erasure_that_a_cancelled_move_has_copied_ends(begin: Begin) -> None:
    forum, history = begin({"users", "posts"})
    forum.settle()
    history.write("erase_user", 0, 0)
    for phase in PHASES[:4]:  # the mover is ahead of the event
        forum.run(REINTEGRATE, "users", phase)
    forum.run(EXTRACT, "users")
    finish(history)
