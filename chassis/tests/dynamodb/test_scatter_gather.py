"""The newest over all shards, however unevenly they are filled."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from chassis.dynamodb.scatter_gather import merge_newest
from chassis.errors import Unavailable

SHARDS = 4


def _newest(shards, limit, before=None, asked=None):
    def query(shard, count, below):
        if asked is not None:
            asked.append(shard)
        found = [n for n in sorted(shards[int(shard)], reverse=True) if not below or n < below]
        return [{"id": n} for n in found[:count]]

    return [
        item["id"] for item in merge_newest(query, "id", shards=SHARDS, limit=limit, before=before)
    ]


@given(some.lists(some.integers(0, SHARDS - 1), max_size=200), some.integers(2, 60))
def test_result_is_the_same_as_of_one_list(places, limit):
    shards = [[] for _ in range(SHARDS)]
    for number, place in enumerate(places):
        shards[place].append(f"{number:04}")
    everything = sorted((n for shard in shards for n in shard), reverse=True)
    assert _newest(shards, limit) == everything[:limit]
    before = everything[len(everything) // 2] if everything else "0"
    assert _newest(shards, limit, before) == [n for n in everything if n < before][:limit]


def test_evenly_filled_shards_are_queried_once_each():
    shards = [[f"{n:04}" for n in range(shard, 400, SHARDS)] for shard in range(SHARDS)]
    asked = []
    _newest(shards, 21, asked=asked)
    assert sorted(asked) == list("0123")


def test_only_a_shard_with_most_of_a_page_is_queried_again():
    shards = [[f"9{n:04}" for n in range(100)], *([f"1{n:04}"] for n in range(3))]
    asked = []
    assert len(_newest(shards, 21, asked=asked)) == 21
    assert sorted(asked) == list("00123")


def test_shard_that_cannot_be_read_is_an_error():
    def query(shard, count, below):
        if shard == "2":
            raise Unavailable("not now")
        return []

    with pytest.raises(Unavailable):
        merge_newest(query, "id", shards=SHARDS, limit=21, before=None)
