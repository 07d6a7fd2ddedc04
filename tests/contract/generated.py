"""Cases from an OpenAPI document: drawn once, then sent to every stage."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.generation.hypothesis.builder import (
    HypothesisTestConfig,
    HypothesisTestMode,
    create_test,
)

from tests.contract.client import TIMEOUT, Client

MODES = [HypothesisTestMode.EXAMPLES, HypothesisTestMode.COVERAGE, HypothesisTestMode.FUZZING]

NOT_CHECKED = {
    "ignored_auth": "sends requests of its own, past the transcript; test_sessions looks at it",
    "use_after_free": "looks at chains of requests, and these are single ones",
    "ensure_resource_availability": "looks at chains of requests, and these are single ones",
    "object_level_authorization": "needs two people; the tests of each domain look at it",
}


@dataclass(frozen=True)
class Generated:
    """A case, and whether real ids take the place of its made-up ones."""

    case: schemathesis.Case
    real: bool = False

    @property
    def label(self) -> str:
        """Name the operation."""
        return str(self.case.operation.label)

    def send(self, client: Client, ids: Mapping[str, str]) -> None:
        """Send the case with the client's token, and check the answer against the document."""
        request: dict[str, Any] = self.case.as_transport_kwargs(base_url=client.forum.url)
        request["headers"]["Authorization"] = f"Bearer {client.token}"
        if self.real:
            _use(ids, request, self.case.operation.path, client.forum.url)
        response = client.http.request(**request, timeout=TIMEOUT, allow_redirects=False)
        sent = response.request.body or b""
        client.note(
            response, response.request.path_url, {}, sent if isinstance(sent, bytes) else sent.encode()
        )
        self.case.validate_response(response, excluded_checks=_not_checked())


@cache
def cases(document: str, examples: int, *, derandomize: bool) -> tuple[Generated, ...]:
    """Draw cases for every operation of a document (JSON); the same ones for the same document.

    Some cover the document's schemas systematically, `examples` more are drawn of them. Each
    valid case is there a second time if real ids can be put into it.
    """
    drawn: list[schemathesis.Case] = []
    schema = schemathesis.openapi.from_dict(json.loads(document))
    for found in schema.get_all_operations():
        create_test(
            operation=found.ok(),
            test_func=lambda case: drawn.append(case),
            config=HypothesisTestConfig(
                project=schema.config,
                modes=MODES,
                settings=settings(
                    max_examples=examples,
                    derandomize=derandomize,
                    database=None,
                    deadline=None,
                    phases=(Phase.explicit, Phase.generate),
                    suppress_health_check=list(HealthCheck),
                ),
            ),
        )()
    once = [Generated(case) for case in drawn]
    return tuple(form for one in once for form in (one, replace(one, real=True)) if _fits(form))


def _fits(generated: Generated) -> bool:
    if not generated.real:
        return True
    case = generated.case
    valid = case.meta is not None and case.meta.generation.mode.is_positive
    named = "{" in case.operation.path or _names_a_thread(case.body)
    return valid and named


def _names_a_thread(body: object) -> bool:
    return isinstance(body, dict) and "thread_id" in body


def _use(ids: Mapping[str, str], request: dict[str, Any], path: str, url: str) -> None:
    request["url"] = url + path.format(**ids)
    if _names_a_thread(request.get("json")):
        request["json"] = request["json"] | {"thread_id": ids["thread_id"]}


@cache
def _not_checked() -> list[Any]:
    load_all_checks()
    return [CHECKS.get_one(name) for name in NOT_CHECKED]
