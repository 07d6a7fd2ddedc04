"""No page costs more in a larger forum, nor deeper in a list; counted, on both sides."""

from dataclasses import replace

import pytest

from bench.growth import Cost, grown, measure

# The full measurement, up to 100,000 posts, is part of `make bench`.
SIZES = (100, 2000)


@pytest.fixture(scope="module")
def costs() -> list[Cost]:
    return measure(SIZES)


def test_page_cost_is_independent_of_forum_size_and_page_depth(
    costs: list[Cost],
) -> None:
    assert grown(costs) == []
    assert len(costs) == len(SIZES) * 14


def test_nothing_has_grown_where_nothing_was_measured() -> None:
    assert grown([]) == []


def test_page_of_posts_is_two_calls_and_one_statement(costs: list[Cost]) -> None:
    for cost in costs:
        if cost.page == "a thread's posts":
            assert (cost.calls, cost.statements) == (2, 1)
            # The posts, one to see that more follow, the thread, and who wrote them.
            assert 22 <= cost.items <= 42


def test_growth_check_detects_an_extra_call_or_a_scan(costs: list[Cost]) -> None:
    largest = [cost for cost in costs if cost.posts == SIZES[-1]]
    for cost in largest:
        others = [one for one in costs if one is not cost]
        for worse in (
            replace(cost, calls=cost.calls + 1),
            replace(cost, items=10 * cost.items),
            replace(cost, read_units=10 * cost.read_units),
            replace(cost, steps=10 * cost.steps),
            replace(cost, statements=cost.statements + 1),
        ):
            assert any(cost.page in line for line in grown([*others, worse])), worse
