"""Samples of the tests, as `.ci/run` takes them on slow machines."""

from pathlib import Path

import pytest

from tests.support.plugins.sample import choose

FILES = [Path(f"test_{number}.py") for number in range(7)]


@pytest.mark.parametrize("every", range(1, 10))
def test_turn_of_each_file_comes(every: int) -> None:
    samples = [choose(FILES, every, number) for number in range(every)]
    assert set().union(*samples) == set(FILES)
    assert all(samples)


def test_single_file_is_always_chosen() -> None:
    assert choose(FILES[:1], 4, 3) == {FILES[0]}


def test_no_files_make_an_empty_sample() -> None:
    assert choose([], 4, 3) == set()
