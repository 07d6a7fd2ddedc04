"""Stages and fixtures of the contract tests."""

import difflib
import secrets
import string
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from infra import stages
from tests.contract.support.client import Client
from tests.contract.support.forum import Forum, Settle
from tests.contract.support.people import People, Person
from tests.contract.support.selection import STAGES
from tests.contract.support.transcript import UNCOMPARED, Transcript
from tests.support.harness import Stack

HERE = Path(__file__).parent
# All people in this suite sign in from one address; `test_limits` has its own forum.
WITHOUT_LIMITS = {"SIGN_IN_LIMIT_PER_NAME": "1000000", "SIGN_IN_LIMIT_PER_ADDRESS": "1000000"}

_FIRST_STAGE: dict[str, Transcript] = {}


@pytest.fixture(scope="session", params=STAGES, ids=stages.stage_name)
def forum(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Forum]:
    """Run a stage; each starts with its own data."""
    extracted: frozenset[str] = request.param
    directory = tmp_path_factory.mktemp(stages.stage_name(extracted))
    with Stack(extracted, directory, WITHOUT_LIMITS) as stack:
        yield Forum(stack)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run each stage once, one after another, with the generated cases last in a stage.

    One process must run them all, the first stage first, because it stores the transcripts.
    """
    order = {
        stages.stage_name(extracted): place for place, extracted in enumerate(stages.all_stages())
    }

    def place(item: pytest.Item) -> tuple[int, bool]:
        callspec = getattr(item, "callspec", None)
        if callspec is None or "forum" not in callspec.params or HERE not in item.path.parents:
            return len(order), False
        return order[stages.stage_name(callspec.params["forum"])], "generated" in item.path.stem

    items.sort(key=place)


@pytest.fixture
def transcript() -> Transcript:
    """Record this test's requests and responses, compared with the first stage's at the end."""
    return Transcript("".join(secrets.choice(string.ascii_lowercase) for _ in range(10)))


@pytest.fixture
def people(forum: Forum, transcript: Transcript) -> People:
    """Create people."""
    return People(forum, transcript)


@pytest.fixture
def anyone(people: People) -> Client:
    """Return an anonymous client."""
    return people.anonymous()


@pytest.fixture
def ada(people: People) -> Person:
    """Create a member."""
    return people.member("ada")


@pytest.fixture
def ben(people: People) -> Person:
    """Create another member."""
    return people.member("ben")


@pytest.fixture
def mod(people: People) -> Person:
    """Create a moderator."""
    return people.moderator("mod")


@pytest.fixture
def settle(forum: Forum) -> Settle:
    """Return a function that waits until a write in one domain is visible in the others."""
    return forum.settle


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, Any, Any]:
    """Compare a test's transcript with that of the first stage."""
    result = yield
    transcript, forum = (pyfuncitem.funcargs.get(name) for name in ("transcript", "forum"))
    if isinstance(transcript, Transcript) and isinstance(forum, Forum):
        transcript.close()
        _compare(pyfuncitem, transcript, forum)
    return result


def _compare(item: pytest.Function, transcript: Transcript, forum: Forum) -> None:
    given = {name: value for name, value in item.callspec.params.items() if name != "forum"}
    name = f"{item.path}::{item.originalname}{given}"
    if not forum.extracted:
        _FIRST_STAGE[name] = transcript
        return
    if name not in _FIRST_STAGE:
        item.user_properties.append((UNCOMPARED, True))
        return
    before, after = _FIRST_STAGE[name].lines(), transcript.lines()
    if before != after:
        difference = difflib.unified_diff(before, after, "monolith", forum.name, lineterm="", n=6)
        pytest.fail("the answers differ:\n" + "\n".join(difference), pytrace=False)
