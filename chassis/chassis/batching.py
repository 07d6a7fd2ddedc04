"""Batches limited by number of items and by bytes."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

THING = TypeVar("THING")


def batched(
    sized: Iterable[tuple[THING, int]], most: int, most_bytes: int
) -> Iterator[list[tuple[THING, int]]]:
    """Split items, given with their bytes, into batches; an oversized item gets its own batch."""
    portion: list[tuple[THING, int]] = []
    total = 0
    for thing, size in sized:
        if portion and (len(portion) == most or total + size > most_bytes):
            yield portion
            portion, total = [], 0
        portion.append((thing, size))
        total += size
    if portion:
        yield portion
