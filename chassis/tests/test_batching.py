"""Batches: complete, and within their limits."""

import pytest

from chassis.batching import batched


@pytest.mark.parametrize(
    ("sizes", "portions"),
    [
        ([], []),
        ([1, 1, 1], [[1, 1, 1]]),
        ([1, 1, 1, 1], [[1, 1, 1], [1]]),
        ([6, 4, 1], [[6, 4], [1]]),
        ([10, 10], [[10], [10]]),
        ([1, 11, 1], [[1], [11], [1]]),
    ],
)
def test_items_are_batched_by_number_and_size(sizes, portions):
    things = [(f"thing {number}", size) for number, size in enumerate(sizes)]
    found = list(batched(things, most=3, most_bytes=10))
    assert [[size for _, size in portion] for portion in found] == portions
    assert [thing for portion in found for thing in portion] == things
