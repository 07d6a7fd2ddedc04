"""Selection of the stages that the suite runs at."""

import os

import pytest

from infra import stages

_BOTH_SIDES = {"monolith", "users+threads+posts"}


def _selected() -> tuple[frozenset[str], ...]:
    """Read CONTRACT_STAGES: names such as `monolith users+threads`; all of them without it."""
    every = {stages.stage_name(extracted): extracted for extracted in stages.all_stages()}
    wanted = set(os.environ.get("CONTRACT_STAGES", "").split()) or set(every)
    if unknown := wanted - every.keys():
        msg = f"CONTRACT_STAGES knows {', '.join(every)}; not {', '.join(sorted(unknown))}"
        raise pytest.UsageError(msg)
    return tuple(extracted for name, extracted in every.items() if name in wanted)


STAGES = _selected()
"""The selected stages, the fewest services first."""

_ENDS = tuple(stage for stage in STAGES if stages.stage_name(stage) in _BOTH_SIDES) or STAGES

at_both_sides = pytest.mark.parametrize(
    "forum", _ENDS, indirect=True, ids=stages.stage_name, scope="session"
)
"""Marks tests that ask one component at a time: the monolith alone, and every service.

The stages between would ask the same code again; what depends on the split runs at all of them.
"""
