"""Times from clocks that differ: what is clamped, and how ids follow."""

from datetime import UTC, datetime, timedelta

import pytest

from chassis.clock import CLOCK_LEEWAY, clamp_to_present, creation_time, sort_after, uuid7

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
HOURS, MILLISECOND = timedelta(hours=3), timedelta(milliseconds=1)


@pytest.mark.parametrize("difference", [-HOURS, timedelta(0), CLOCK_LEEWAY])
def test_time_behind_or_within_the_leeway_is_taken(difference):
    assert clamp_to_present(NOW + difference, NOW) == NOW + difference


@pytest.mark.parametrize("difference", [CLOCK_LEEWAY + MILLISECOND, HOURS])
def test_time_further_ahead_becomes_the_present(difference):
    assert clamp_to_present(NOW + difference, NOW) == NOW


@pytest.mark.parametrize("older", [(), (None,), (NOW,), (NOW - HOURS, None)])
def test_id_and_time_stay_if_all_else_is_older(older):
    identifier = uuid7()
    assert sort_after(identifier, NOW, *older) == (identifier, NOW)


def test_id_and_time_follow_the_newest_of_a_clock_that_is_ahead():
    identifier, newest = uuid7(), NOW + HOURS
    moved, moment = sort_after(identifier, NOW, NOW, newest, None)
    assert moment == newest + MILLISECOND
    assert creation_time(moved) == moment
    assert moved[13:] == identifier[13:]


@pytest.mark.parametrize(
    "other", ["", "poster", "f4fa3a85-5d37-4ce5-9073-62eb9fc6757a", "z" * 14 + "7"]
)
def test_other_id_has_no_time(other):
    assert creation_time(other) is None
