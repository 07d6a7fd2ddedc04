"""At which stages the suite runs."""

import os

import pytest

from infra import stages

_CHAIN = {"monolith", "users", "users+threads", "users+threads+posts"}


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

CHAIN = tuple(stage for stage in STAGES if stages.stage_name(stage) in _CHAIN) or STAGES
"""Those of a split that takes out one service after another: enough for what costs much."""
