"""Cases that schemathesis generates from the served OpenAPI documents.

The same cases come in the same order at every stage, so their answers are compared too.
`CONTRACT_EXAMPLES` sets how many are drawn for each operation beside those that cover its
document systematically; `CONTRACT_RANDOM=1` draws other ones in each run.
"""

import json
import os

import pytest

from tests.contract.client import Client
from tests.contract.generated import Generated, cases
from tests.contract.people import Person
from tests.contract.writing import open_thread, reply

EXAMPLES = int(os.environ.get("CONTRACT_EXAMPLES", "20"))
RANDOM = os.environ.get("CONTRACT_RANDOM") == "1"


@pytest.fixture(params=["users", "threads", "posts"])
def generated(request: pytest.FixtureRequest, anyone: Client) -> tuple[Generated, ...]:
    """Give the cases of each domain's document, as it is served."""
    document = anyone.get(f"/api/{request.param}/openapi.json").expect()
    return cases(json.dumps(document), EXAMPLES, derandomize=not RANDOM)


def test_generated_cases_are_answered_as_the_document_says(
    generated: tuple[Generated, ...], ada: Person, ben: Person
) -> None:
    thread: dict[str, str] = {}
    post: dict[str, str] = {}
    failures: list[str] = []
    for one in generated:
        if not post or one.label.startswith("DELETE"):
            # What a case deletes is not there for the next one.
            with ada.client.transcript.paused():
                thread = open_thread(ada, "A thread")
                post = reply(ada, thread, "A post")
        # Nobody erases others: Ada stays, and Ben too.
        user = ben if one.label.startswith("DELETE") else ada
        ids = {"user_id": user.id, "thread_id": thread["id"], "post_id": post["id"]}
        failures += one.send(ada.client, ids)
    assert not failures, "\n".join(failures)
