"""Cutting what is to be sent into portions that one call takes."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

THING = TypeVar("THING")


def batched(
    sized: Iterable[tuple[THING, int]], most: int, most_bytes: int
) -> Iterator[list[tuple[THING, int]]]:
    """Cut things, each with its bytes, by number and by size; one that is too large is alone."""
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
