"""Cases that schemathesis generates from the served OpenAPI documents.

The same cases come in the same order on both sides, so their answers are compared too.
`CONTRACT_EXAMPLES` sets how many are drawn for each operation beside those that cover its
document systematically; `CONTRACT_RANDOM=1` draws other ones in each run.
"""

import json
import os

import pytest

from tests.contract.support.client import Client
from tests.contract.support.forum import Settle
from tests.contract.support.generated import Generated, cases
from tests.contract.support.people import Person
from tests.contract.support.selection import at_both_sides
from tests.contract.support.writing import open_thread, reply

EXAMPLES = int(os.environ.get("CONTRACT_EXAMPLES", "20"))
RANDOM = os.environ.get("CONTRACT_RANDOM") == "1"
pytestmark = at_both_sides


@pytest.fixture(params=["users", "threads", "posts"])
def generated(request: pytest.FixtureRequest, anyone: Client) -> tuple[Generated, ...]:
    """Return the cases of each domain's document, as it is served."""
    document = anyone.get(f"/api/{request.param}/openapi.json").expect()
    return cases(json.dumps(document), EXAMPLES, derandomize=not RANDOM)


def test_generated_requests_get_documented_responses(
    generated: tuple[Generated, ...], ada: Person, ben: Person, settle: Settle
) -> None:
    thread: dict[str, str] = {}
    post: dict[str, str] = {}
    failures: list[str] = []
    settled = True
    for one in generated:
        deletes = one.label.startswith("DELETE")
        if not post or deletes:
            # What a case deletes is not there for the next one.
            with ada.client.transcript.paused():
                thread = open_thread(ada, "A thread")
                post = reply(ada, thread, "A post")
            settled = False
        # The response of a deletion does not depend on the count.
        if not (settled or deletes):
            settle()
            settled = True
        # Nobody can erase others, so Ada and Ben remain.
        user = ben if deletes else ada
        ids = {"user_id": user.id, "thread_id": thread["id"], "post_id": post["id"]}
        failures += one.send(ada.client, ids)
        if one.label == "DELETE /api/users/me/sessions":
            with ada.client.transcript.paused():
                ada.sign_in()
    assert not failures, "\n".join(failures)
