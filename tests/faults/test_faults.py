"""Every fault once under load: nothing that was acknowledged is lost, doubled or shown wrongly."""

import time

import pytest

from infra import stages
from tests.faults.conftest import BEHIND
from tests.faults.run import Run, write_seconds

COMPONENTS = (stages.MONOLITH, *stages.DOMAINS)
WORKERS = tuple(f"{component}-worker" for component in COMPONENTS)


@pytest.mark.parametrize("part", [*COMPONENTS, "dynamodb"])
def test_component_is_killed(run: Run, part: str) -> None:
    run.endure(f"kill {part}", run.faults.named[f"kill {part}"])


def test_each_worker_is_killed(run: Run) -> None:
    # One after another: a worker's messages in flight are redelivered only after ten seconds.
    report = run.endure("kill each worker", run.faults.kills(WORKERS))
    assert report.failures == []


@pytest.mark.parametrize("part", COMPONENTS)
def test_component_is_paused_for_ten_seconds(run: Run, part: str) -> None:
    run.endure(f"pause {part}", run.faults.named[f"pause {part}"])


def test_workers_are_paused_for_ten_seconds_each(run: Run) -> None:
    run.endure("pause each worker", run.faults.pauses(WORKERS))


@pytest.mark.parametrize("part", BEHIND)
def test_network_to_a_component_is_cut_and_then_slow(run: Run, part: str) -> None:
    cut, slow = f"drop {part}", f"delay {part}"
    run.endure(f"{cut}, {slow}", run.faults.named[cut], run.faults.named[slow])


def test_datastore_throttles_every_second_call(run: Run) -> None:
    run.endure("throttle dynamodb", run.faults.named["throttle dynamodb"])


def test_messages_are_repeated_and_reordered(run: Run) -> None:
    run.endure("repeat messages", run.faults.named["repeat messages"])


@pytest.mark.parametrize("number", range(2))
def test_two_faults_at_once(run: Run, number: int) -> None:
    first, second = run.faults.pair()
    run.endure(f"{first} + {second}", run.faults.named[first], run.faults.named[second])


def test_no_write_waits_for_the_bus(run: Run) -> None:
    began, writes = time.monotonic(), run.ledger.writes
    with run.load.running():
        time.sleep(5)
        run.stack.pause("bus")
        paused = time.monotonic()
        try:
            time.sleep(5)
        finally:
            run.stack.resume("bus")
    before = [one for one in run.load.records.since(began) if one.at < paused - 0.5]
    without = [one for one in run.load.records.since(paused) if one.at < paused + 5]
    ratio = write_seconds(without) / write_seconds(before)
    report = run.check(f"pause bus: writes take {ratio:.2f} times as long", began, writes, 0.0)
    assert report.failures == []
    assert ratio < 2


def test_killed_bus_is_refilled_from_the_outboxes(run: Run) -> None:
    began, writes = time.monotonic(), run.ledger.writes
    with run.load.running():
        time.sleep(1)
        before = run.stack.recoveries()
        run.stack.kill_group("bus")
        run.stack.wait_until_recovered(before)
        time.sleep(1)
    report = run.check("kill bus", began, writes, 0.0)
    assert report.failures == []


@pytest.mark.parametrize("seconds", [-60, 60])
def test_clock_skew_of_a_minute_signs_no_user_out(run: Run, seconds: int) -> None:
    began, writes = time.monotonic(), run.ledger.writes
    with run.skewed(seconds), run.load.running():
        time.sleep(2)
    refused = [one for one in run.load.records.since(began) if one.status == 401]
    report = run.check(f"tokens {seconds:+} s", began, writes, 0.0)
    assert report.failures == []
    assert not refused
