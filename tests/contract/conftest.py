"""The stages, and what every test of the contract gets."""

import difflib
import os
import secrets
import string
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from infra import stages
from tests.contract.client import Client
from tests.contract.forum import Forum
from tests.contract.lagging import LAGS, lagging_fields
from tests.contract.people import People, Person
from tests.contract.transcript import UNCOMPARED, Transcript
from tests.harness import Stack

HERE = Path(__file__).parent
DEFAULT_STAGES = "monolith users users+threads users+threads+posts"
# Everybody in this suite signs in from one address; `test_limits` has a forum of its own.
WITHOUT_LIMITS = {"SIGN_IN_LIMIT_PER_NAME": "1000000", "SIGN_IN_LIMIT_PER_ADDRESS": "1000000"}

Lagging = Callable[[str], AbstractContextManager[bool]]
_FIRST_STAGE: dict[str, Transcript] = {}


def _stages() -> list[frozenset[str]]:
    """Read CONTRACT_STAGES: names such as `monolith users+threads`, or `all`."""
    every = {stages.folder(extracted): extracted for extracted in stages.every()}
    wanted = os.environ.get("CONTRACT_STAGES", DEFAULT_STAGES).split()
    unknown = set(wanted) - every.keys() - {"all"}
    if unknown:
        msg = f"CONTRACT_STAGES knows all, {', '.join(every)}; not {', '.join(sorted(unknown))}"
        raise pytest.UsageError(msg)
    return [extracted for name, extracted in every.items() if {name, "all"} & set(wanted)]


@pytest.fixture(scope="session", params=_stages(), ids=stages.folder)
def forum(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Forum]:
    """Run a stage; each starts with data of its own."""
    extracted: frozenset[str] = request.param
    directory = tmp_path_factory.mktemp(stages.folder(extracted))
    with Stack(extracted, directory, WITHOUT_LIMITS) as stack:
        yield Forum(stack)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run stage after stage, each just once, and generated cases when a stage is done with.

    One process has to run them all, the first stage first, since it keeps the transcripts.
    """
    order = {stages.folder(extracted): place for place, extracted in enumerate(stages.every())}

    def place(item: pytest.Item) -> tuple[int, bool]:
        callspec = getattr(item, "callspec", None)
        if callspec is None or "forum" not in callspec.params or HERE not in item.path.parents:
            return len(order), False
        return order[stages.folder(callspec.params["forum"])], "generated" in item.path.stem

    items.sort(key=place)


@pytest.fixture
def transcript() -> Transcript:
    """Keep what this test asks and is answered; compared with the first stage's at the end."""
    return Transcript("".join(secrets.choice(string.ascii_lowercase) for _ in range(10)))


@pytest.fixture
def people(forum: Forum, transcript: Transcript) -> People:
    """Make people."""
    return People(forum, transcript)


@pytest.fixture
def anyone(people: People) -> Client:
    """Be nobody in particular."""
    return people.anonymous()


@pytest.fixture
def ada(people: People) -> Person:
    """Be a member."""
    return people.member("ada")


@pytest.fixture
def ben(people: People) -> Person:
    """Be another member."""
    return people.member("ben")


@pytest.fixture
def mod(people: People) -> Person:
    """Be a moderator."""
    return people.moderator("mod")


@pytest.fixture
def lag(forum: Forum, transcript: Transcript) -> Lagging:
    """Mark the steps that show a lagging effect; gives whether it is behind at this stage."""

    @contextmanager
    def lagging(name: str) -> Iterator[bool]:
        with transcript.lagging(name):
            yield forum.lags(name)

    return lagging


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, Any, Any]:
    """Compare what a test was answered with what it was answered at the first stage."""
    result = yield
    transcript, forum = (pyfuncitem.funcargs.get(name) for name in ("transcript", "forum"))
    if isinstance(transcript, Transcript) and isinstance(forum, Forum):
        transcript.close()
        _compare(pyfuncitem, transcript, forum)
    return result


def _compare(item: pytest.Function, transcript: Transcript, forum: Forum) -> None:
    name = item.nodeid.replace(f"[{forum.name}", "[")
    if not forum.extracted:
        _FIRST_STAGE[name] = transcript
        return
    if name not in _FIRST_STAGE:
        item.user_properties.append((UNCOMPARED, True))
        return
    lags = [lag for lag, entry in LAGS.items() if entry.active(forum.extracted)]
    fields = lagging_fields(forum.extracted)
    before = _FIRST_STAGE[name].lines(lags, fields)
    after = transcript.lines(lags, fields)
    if before != after:
        difference = difflib.unified_diff(before, after, "monolith", forum.name, lineterm="", n=6)
        pytest.fail("the answers differ:\n" + "\n".join(difference), pytrace=False)
