"""Consumption of operations, including their events."""

import pytest

from bench import capacity
from bench.capacity import Operation
from bench.dynamo import Meter


@pytest.fixture(scope="module")
def operations() -> dict[str, Operation]:
    return {one.name: one for one in capacity.measure()}


def test_creating_a_post_takes_three_calls_and_one_transaction(
    operations: dict[str, Operation],
) -> None:
    post = operations["Create a post"].itself
    assert (post.calls, post.transactions) == (3, 1)


def test_thread_page_is_three_calls_and_writes_nothing(operations: dict[str, Operation]) -> None:
    page = operations["Thread page"].itself
    assert (page.calls, page.write_units) == (3, 0)


def test_events_of_a_post_go_to_threads_and_to_the_monolith(
    operations: dict[str, Operation],
) -> None:
    post = operations["Create a post"]
    assert (post.published, post.deliveries) == (1, 2)
    assert post.events.write_units > 0


def test_cost_of_a_million_operations_follows_the_price_list() -> None:
    meter = Meter(read_units=2, write_units=4)
    one = Operation("Any", meter, Meter(write_units=1), published=1, deliveries=2)
    prices = {"read_units": 1, "write_units": 10, "published": 100, "queue_requests": 1000}
    assert one.dollars(prices) == 2 * 1 + 5 * 10 + 100 + 2 * 3 * 1000
    assert capacity.prices()["million"].keys() == prices.keys()
