"""What the programs around the containers decide; tests/compose runs them in their containers."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from chassis.clock import stamp
from chassis.outbox import KEPT_FOR
from chassis.replaying import MARGIN
from chassis.subscriptions import Places, Subscription
from infra import stages
from infra.containers import setup, stage
from infra.containers.keeper import COMPLETE, Keeper
from infra.local import keys
from tests.bus import Bus, happened

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
MADE = {keys.SECRET: "s", keys.PUBLIC: "p", keys.PRIVATE: "r", setup.PASSWORD: "pw"}
URL = "postgresql+psycopg://forum:pw@postgres:5432/"


@pytest.mark.parametrize("extracted", stages.every(), ids=stages.folder)
def test_one_component_can_sign_sessions_and_knows_who_keeps_copies(
    extracted: frozenset[str],
) -> None:
    shares = setup.shares(extracted, MADE)
    components = {stages.MONOLITH, *extracted}
    owner = "users" if "users" in extracted else stages.MONOLITH
    assert {name for name, share in shares.items() if keys.PRIVATE in share} == {owner}
    assert set(filter(None, shares[owner]["keepers"].split(","))) == components - {owner}
    for name in components:
        assert (shares[name][keys.SECRET], shares[name][keys.PUBLIC]) == ("s", "p")
        assert setup.PASSWORD not in shares[name]
    assert shares.keys() == components | {setup.KEEPER, setup.POSTGRES}


def test_services_find_each_other_where_each_is_at_the_stage() -> None:
    shares = setup.shares(frozenset({"posts"}), MADE)
    assert shares["posts"]["threads_url"] == "http://monolith.forum.local:8080"
    shares = setup.shares(frozenset({"posts", "threads"}), MADE)
    assert shares["posts"]["threads_url"] == "http://threads.forum.local:8080"
    assert shares["threads"]["posts_url"] == "http://posts.forum.local:8080"


def test_each_stage_has_a_database_of_its_own() -> None:
    names = {stage.database_name(extracted) for extracted in stages.every()}
    assert len(names) == 8
    shares = setup.shares(frozenset({"users", "posts"}), MADE)
    assert shares[stages.MONOLITH]["database_url"] == URL + "users_posts"
    assert shares[setup.KEEPER] == {"database_url": URL + "users_posts"}


class Outbox:
    """An outbox that only remembers since when it was replayed."""

    def __init__(self) -> None:
        self.waiting: datetime | None = None
        self.replayed: list[datetime] = []

    def oldest(self) -> datetime | None:
        return self.waiting

    def again(self, since: datetime) -> int:
        self.replayed.append(since)
        return 3


@pytest.fixture
def outbox() -> Outbox:
    return Outbox()


@pytest.fixture
def places(bus: Bus) -> Iterator[Places]:
    """Give the queues of a component, on a bus that is complete at the end."""
    yield bus.provision([Subscription("notes", ("note.created",))])["notes"]
    bus.sqs.delete_queue(QueueUrl=bus.sqs.get_queue_url(QueueName=COMPLETE)["QueueUrl"])


def keeper_of(bus: Bus, outbox: Outbox, places: Places, note: Path) -> Keeper:
    return Keeper(bus.sqs, [outbox], [bus.queue(places)], note)  # type: ignore[list-item]


def test_what_may_have_been_on_the_bus_is_published_again_once(
    bus: Bus, outbox: Outbox, places: Places, tmp_path: Path
) -> None:
    keeper = keeper_of(bus, outbox, places, tmp_path / "keeper" / "note")
    assert not keeper.is_complete()
    assert keeper.complete(lambda: NOW) == 3
    assert keeper.is_complete()
    # Nothing is known yet of when all had arrived.
    assert outbox.replayed == [NOW - KEPT_FOR - MARGIN]


def test_it_goes_back_to_the_last_time_when_nothing_was_under_way(
    bus: Bus, outbox: Outbox, places: Places, tmp_path: Path
) -> None:
    note, queue = tmp_path / "note", places.queue_url
    keeper = keeper_of(bus, outbox, places, note)
    keeper.note(NOW)
    assert note.read_text() == stamp(NOW)
    outbox.waiting = NOW
    keeper.note(NOW + timedelta(hours=1))
    outbox.waiting = None
    bus.sqs.send_message(QueueUrl=queue, MessageBody=happened().to_json())
    keeper.note(NOW + timedelta(hours=2))
    taken = bus.sqs.receive_message(QueueUrl=queue)["Messages"]
    keeper.note(NOW + timedelta(hours=3))
    assert note.read_text() == stamp(NOW), "something waited, or was in somebody's hands"
    keeper.complete(lambda: NOW + timedelta(hours=4))
    assert outbox.replayed == [NOW - MARGIN]
    bus.sqs.delete_message(QueueUrl=queue, ReceiptHandle=taken[0]["ReceiptHandle"])
    keeper.note(NOW + timedelta(hours=5))
    assert note.read_text() == stamp(NOW + timedelta(hours=5))
