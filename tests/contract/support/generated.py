"""Cases from an OpenAPI document: drawn once, then sent to every stage."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any
from unicodedata import category

import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.generation.hypothesis.builder import (
    HypothesisTestConfig,
    HypothesisTestMode,
    create_test,
)

from tests.contract.support.checks import GATEWAY
from tests.contract.support.client import TIMEOUT, Client

MODES = [HypothesisTestMode.EXAMPLES, HypothesisTestMode.COVERAGE, HypothesisTestMode.FUZZING]

NOT_CHECKED = {
    "ignored_auth": "sends requests of its own, past the transcript; test_sessions looks at it",
    "use_after_free": "looks at chains of requests, and these are single ones",
    "ensure_resource_availability": "looks at chains of requests, and these are single ones",
    "object_level_authorization": "needs two people; the tests of each domain look at it",
}
# Letters and a symbol that look like nothing at all.
_FILLERS = "\u115f\u1160\u3164\uffa0\u2800"


@dataclass(frozen=True)
class Generated:
    """A case, and whether its random ids are replaced by real ones."""

    case: schemathesis.Case[Any]
    real: bool = False

    @property
    def label(self) -> str:
        """Return the operation's label."""
        return str(self.case.operation.label)

    def send(self, client: Client, ids: Mapping[str, str]) -> list[str]:
        """Send the case with the client's token; return violations of the document."""
        request: dict[str, Any] = self.case.as_transport_kwargs(base_url=client.forum.url)
        request["headers"]["Authorization"] = f"Bearer {client.token}"
        if self.real:
            _use(ids, request, self.case.operation.path, client.forum.url)
        response = client.http.request(**request, timeout=TIMEOUT, allow_redirects=False)
        sent = response.request.body or b""
        body = sent if isinstance(sent, bytes) else sent.encode()
        client.note(response, response.request.path_url, {}, body)
        if response.headers["X-Served-By"].startswith(GATEWAY):
            return []
        try:
            self.case.validate_response(response, excluded_checks=self._not_checked())
        except FailureGroup as group:
            asked = f"{response.request.method} {response.request.path_url} {body[:300]!r}"
            answered = f"{response.status_code} {response.text[:300]}"
            titles = ", ".join(str(failure.title) for failure in group.exceptions)
            return [f"{titles}: {asked} → {answered}"]
        return []

    def _not_checked(self) -> list[Any]:
        """Return the checks that don't apply to this case.

        No schema can say that a cursor has to be one that the forum gave out, that ids exclude
        paging, or how many words are in a search. Which characters are no text, and which letters
        beyond ASCII a username may have, is said in words only.
        """
        names = set(NOT_CHECKED)
        query = self.case.query or {}
        if (
            "cursor" in query
            or {"ids", "limit"} <= query.keys()
            or {"q", "sort"} <= query.keys()
            or not all(map(_is_plain, _strings(self.case.body)))
            or not _username(self.case.body).isascii()
        ):
            names.add("positive_data_acceptance")
        load_all_checks()
        return [CHECKS.get_one(name) for name in names]


@cache
def cases(document: str, examples: int, *, derandomize: bool) -> tuple[Generated, ...]:
    """Draw cases for every operation of a document (JSON); the same ones for the same document.

    Some cover the document's schemas systematically, `examples` more are drawn of them. Each
    valid case is there a second time if real ids can be put into it.
    """
    drawn: list[schemathesis.Case[Any]] = []

    def keep(case: schemathesis.Case[Any]) -> None:
        drawn.append(case)

    schema = schemathesis.openapi.from_dict(json.loads(document))
    # A tag may be outdated, and a key used before.
    schema.config.checks.positive_data_acceptance.expected_statuses += ["412", "422"]
    # TRACE and QUERY are not forwarded by a gateway.
    schema.config.phases.coverage.unexpected_methods = {"get", "put", "post", "delete", "patch"}
    for found in schema.get_all_operations():
        assert isinstance(found, Ok)
        create_test(
            operation=found.ok(),
            test_func=keep,
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


def _username(body: object) -> str:
    """Return the username in a body; empty without one."""
    named = body.get("username", "") if isinstance(body, dict) else ""
    return named if isinstance(named, str) else ""


def _names_a_thread(body: object) -> bool:
    return isinstance(body, dict) and "thread_id" in body


def _use(ids: Mapping[str, str], request: dict[str, Any], path: str, url: str) -> None:
    request["url"] = url + path.format(**ids)
    if _names_a_thread(request.get("json")):
        request["json"] = request["json"] | {"thread_id": ids["thread_id"]}


def _strings(body: object) -> Iterator[str]:
    if isinstance(body, dict):
        yield from (value for value in body.values() if isinstance(value, str))


def _is_plain(text: str) -> bool:
    return all(
        character == " " or (category(character)[0] in "LNPS" and character not in _FILLERS)
        for character in text
    )
