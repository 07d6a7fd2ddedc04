"""These tests need a container engine; `make test-deploy` runs them."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from infra.cdk.options import ROLLING
from tests.deploy.deployed import Deployed

collect_ignore_glob = [] if os.environ.get("FORUM_DEPLOYMENT") == "deployed" else ["test_*.py"]

AtStage = Callable[[frozenset[str]], Deployed]


@pytest.fixture(scope="session")
def at_stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AtStage]:
    """Update one deployment to a stage, with rolling deployments, for several files of tests.

    A deployment of its own would take a minute for each.
    """
    made: list[Deployed] = []
    complete = True
    with ExitStack() as leaving:

        def update(extracted: frozenset[str]) -> Deployed:
            nonlocal complete
            if not made:
                deployed = Deployed(extracted, tmp_path_factory.mktemp("deployed"))
                made.append(leaving.enter_context(deployed))
            options = made[0].options
            if not complete or (options.extracted, options.strategy) != (extracted, ROLLING):
                complete = False
                made[0].deploy(extracted=extracted, strategy=ROLLING)
                complete = True
            return made[0]

        yield update
