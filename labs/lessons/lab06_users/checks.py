"""Checks of lab 6: accounts on DynamoDB, by what a client and the tables show."""

import json
import time
from base64 import urlsafe_b64decode
from collections import Counter
from collections.abc import Callable
from typing import Any, NoReturn

from labs.outcome import CheckInconclusive, fail
from labs.service_probe import Response, ServiceProbe, run_service
from labs.tracebacks import fail_if_unwritten, find_last_error
from labs.workspace import Workspace

STORE = "services/users/users/dynamodb/store.py"
SERVICE = "services/users/users/service.py"
UNIQUE_PAGE = "docs/adr/0009-tables.md"
EVENTS_PAGE = "docs/adr/0014-events.md"
EDITS_PAGE = "docs/adr/0005-edits.md"
KEYS_PAGE = "docs/adr/0006-idempotency.md"
PASSWORDS_PAGE = "docs/adr/0034-password-hashing.md"
PASSWORD = "correct horse battery"  # noqa: S105 - of an account on an empty database
NEW_PASSWORD = "another horse battery"  # noqa: S105
RACERS = 8
_REFUSAL = "urn:problem:wrong-credentials"
_SESSIONS, _ME = "/api/users/sessions", "/api/users/me"
_TIMED = 5  # requests, of which the fastest is compared
ATTEMPTS = 2 + _TIMED
_WINDOW_SECONDS = 3600


class _Examiner:
    """Requests to a running users service, and diagnoses of one of its functions."""

    def __init__(
        self, workspace: Workspace, service: ServiceProbe, function: str, file: str = STORE
    ) -> None:
        self._workspace, self._service = workspace, service
        self._where = workspace.find_line(file, f"def {function}(")
        self._function = function

    def register(self, name: str, key: str = "") -> Response:
        headers = {"Idempotency-Key": key} if key else {}
        new = {"username": name, "password": PASSWORD}
        return self._service.send("POST", "/api/users", new, headers)

    def open_session(
        self, name: str, password: str = PASSWORD, address: str = "192.0.2.1"
    ) -> Response:
        """Try to sign in, as the gateway would forward it from an address."""
        credentials = {"username": name, "password": password}
        return self._service.send("POST", _SESSIONS, credentials, {"X-Forwarded-For": address})

    def sign_in(self, name: str) -> dict[str, str]:
        """Return the headers of a session; a store that can't register gets its diagnosis."""
        made = self.register(name, key=f"a-key-of-{name}")
        self.expect(made, 201, f"POST /api/users as {name}", "registration")
        opened = self.open_session(name)
        self.expect(opened, 201, f"POST {_SESSIONS} as {name}", "sign-in")
        return {"Authorization": f"Bearer {opened.body['token']}"}

    def expect(self, response: Response, status: int, asked: str, name: str) -> None:
        """Fail unless a response has a status; an empty function gets its own diagnosis."""
        if response.status == status:
            return
        if response.status >= 500:
            self.fail_with_error(asked, response.status, status)
        self.fail(
            name,
            asked=asked,
            got=f"{response.status} {response.body.get('detail', '')}".strip(),
            expected=str(status),
            why="The contract is the same before and after the split.",
            page=UNIQUE_PAGE,
        )

    def fail_with_error(self, asked: str, got: int, status: int) -> None:
        """Fail with the last error in the service's log."""
        log, folder = self._service.read_log(), self._workspace.folder
        fail_if_unwritten(log, folder, UNIQUE_PAGE)
        error = find_last_error(log, folder)
        self.fail(
            "error",
            asked=asked,
            got=f"{got}, because of {error.text}" if error else str(got),
            expected=f"{status}, from code that implements {self._function}",
            where=error.where if error else "",
            why="A request that a client may send never ends in an error of the program.",
            page=UNIQUE_PAGE,
        )

    def events(self, kind: str, subject: str) -> list[dict[str, Any]]:
        """Return the events in the outbox about a person."""
        stored = [
            item["event"]["S"] for item in self._service.scan("users-outbox") if "event" in item
        ]
        found = [json.loads(text) for text in stored]
        return [event for event in found if (event["type"], event["subject"]) == (kind, subject)]

    def expect_event(self, kind: str, subject: str, asked: str) -> None:
        """Fail unless there is exactly one event about a person."""
        if len(found := self.events(kind, subject)) == 1:
            return
        self.fail(
            "no-event",
            asked=f"{asked}, then the outbox",
            got=f"{len(found)} events {kind}",
            expected="1, written in the same transaction",
            why=(
                "Other components show names and refuse suspended people by these events. An event"
                " that is written apart from its data is lost in a crash between the two."
            ),
            page=EVENTS_PAGE,
        )

    def fail(self, name: str, *, where: str = "", **told: str) -> NoReturn:
        """Fail with a diagnosis, by default at the function."""
        fail(name, where=where or self._where, **told)


def check_unique_names(workspace: Workspace) -> None:
    """Check that a name has one account, under races, with its event and its repetition."""
    with run_service(workspace, "users") as service:
        examiner = _Examiner(workspace, service, "add")
        first = examiner.register("ada")
        examiner.expect(first, 201, "POST /api/users as ada", "registration")
        examiner.expect(examiner.register("ada"), 409, "the same name again", "name-taken-twice")
        responses = service.race(RACERS, lambda _: examiner.register("grace"))
        _expect_one_winner(examiner, service, responses)
        examiner.expect_event("user.registered", first.body["id"], "a registration")
        again = [examiner.register("lin", key="a-key-of-lin") for _ in range(2)]
        if [response.status for response in again] != [201, 201] or again[0].body != again[1].body:
            examiner.fail(
                "not-repeatable",
                asked="the same registration twice, with one Idempotency-Key",
                got=" and ".join(str(response.status) for response in again),
                expected="201 twice, with the same account",
                why=(
                    "A client that lost the response repeats the request. The stored response must"
                    " be part of the transaction, or the repetition finds its own name taken."
                ),
                page=KEYS_PAGE,
            )


def _expect_one_winner(
    examiner: _Examiner, service: ServiceProbe, responses: list[Response]
) -> None:
    statuses = Counter(response.status for response in responses)
    if statuses == {201: 1, 409: RACERS - 1}:
        if service.writes.most_at_once < 2:
            msg = "no two registrations were written at the same time"
            raise CheckInconclusive(msg)
        return
    asked = f"{RACERS} simultaneous registrations of grace"
    if 500 in statuses:
        # Such as a condition that failed, and that was not turned into UsernameTaken.
        examiner.fail_with_error(asked, 500, 409)
    accounts = sum(item["username"]["S"] == "grace" for item in service.scan("users"))
    examiner.fail(
        "duplicate-accounts",
        asked=asked,
        got=f"{_listed(statuses)}; accounts: {accounts}",
        expected=f"1 × 201 and {RACERS - 1} × 409; accounts: 1",
        why=(
            "Another request can come between a read and the write that follows it. Only a"
            " condition in the transaction that claims the name decides."
        ),
        page=UNIQUE_PAGE,
    )


def check_edits(workspace: Workspace) -> None:
    """Check that of two edits of one version exactly one succeeds, with its event."""
    with run_service(workspace, "users") as service:
        examiner = _Examiner(workspace, service, "replace")
        session = examiner.sign_in("ada")
        me = service.send("GET", "/api/users/me", headers=session)
        path, etag = f"/api/users/{me.body['id']}", me.headers["ETag"]

        def edit(number: int) -> Response:
            new = {"bio": f"Edited by window {number}"}
            return service.send("PATCH", path, new, session | {"If-Match": etag})

        alone = service.send("PATCH", path, {"bio": "Written alone"}, session)
        examiner.expect(alone, 200, f"PATCH {path}", "edit")
        _expect_password(examiner, "ada", PASSWORD, "an edit of the profile", "lost-password")
        etag = alone.headers["ETag"]
        responses = service.race(RACERS, edit)
        statuses = Counter(response.status for response in responses)
        if statuses != {200: 1, 412: RACERS - 1}:
            examiner.fail(
                "lost-update",
                asked=f"{RACERS} simultaneous edits of one version (If-Match: {etag})",
                got=_listed(statuses),
                expected=f"1 × 200 and {RACERS - 1} × 412",
                why=(
                    "All of them read the same version. Without a condition on the version, each"
                    " write replaces the others', and the lost texts leave no trace."
                ),
                page=EDITS_PAGE,
            )
        if service.writes.most_at_once < 2:
            msg = "no two edits were written at the same time"
            raise CheckInconclusive(msg)
        if len(found := examiner.events("user.updated", me.body["id"])) != 2:
            examiner.fail(
                "no-event",
                asked="two successful edits, then the outbox",
                got=f"{len(found)} events user.updated",
                expected="2, each written in the transaction of its edit",
                why="Other components have a replica of the name, which follows these events.",
                page=EVENTS_PAGE,
            )
        changed = service.send(
            "PUT", f"{_ME}/password", {"current": PASSWORD, "new": NEW_PASSWORD}, session
        )
        if changed.status >= 300:
            examiner.expect(changed, 200, f"PUT {_ME}/password", "password-unchanged")
        asked = f"PUT {_ME}/password"
        _expect_password(examiner, "ada", NEW_PASSWORD, asked, "password-unchanged")


def _expect_password(
    examiner: _Examiner, username: str, password: str, asked: str, diagnosis: str
) -> None:
    opened = examiner.open_session(username, password)
    if opened.status == 201:
        return
    examiner.fail(
        diagnosis,
        asked=f"{asked}, then a sign-in",
        got=f"{opened.status}",
        expected="201",
        why=(
            "The hash is part of the account's item, but not of what an edit changes. It is"
            " replaced exactly if a new one is given."
        ),
        page=EDITS_PAGE,
    )


def check_erasure(workspace: Workspace) -> None:
    """Check that a deleted account is gone, its name is free, and others learn of it."""
    with run_service(workspace, "users") as service:
        examiner = _Examiner(workspace, service, "erase")
        session = examiner.sign_in("ada")
        user_id = service.send("GET", _ME, headers=session).body["id"]
        path = f"/api/users/{user_id}"
        service.send("PATCH", path, {"bio": "Edited before"}, session)
        gone = service.send("DELETE", path, {"password": PASSWORD}, session)
        if gone.status not in {202, 204}:
            examiner.expect(gone, 202, f"DELETE {path}", "erasure")
        examiner.expect(service.send("GET", path), 404, f"GET {path} afterwards", "account-remains")
        if any(item["id"]["S"] == user_id for item in service.scan("users-names")):
            examiner.fail(
                "name-remains",
                asked=f"DELETE {path}, then the table of usernames",
                got="the name still belongs to the deleted account",
                expected="no item",
                why="The name can never be registered again, and it is a trace of the person.",
                page=UNIQUE_PAGE,
            )
        examiner.expect(
            examiner.register("ada"), 201, "POST /api/users as ada again", "name-remains"
        )
        examiner.expect_event("user.erased", user_id, "a deletion")
        _expect_bare_event(examiner, user_id)
        if any(user_id in json.dumps(item) for item in service.scan("users-responses")):
            examiner.fail(
                "response-remains",
                asked=f"DELETE {path}, then the table of responses to idempotency keys",
                got="the response of the registration",
                expected="no item about the person",
                why="It has the name of a person who wants to be forgotten, and lives for a day.",
                page=KEYS_PAGE,
            )
        if not any(item["id"]["S"] == user_id for item in service.scan("users-erasures")):
            examiner.fail(
                "no-erasure",
                asked=f"DELETE {path}, then the table of erasures",
                got="no item",
                expected="an item that waits for the confirmations of other components",
                why="Only the record of an erasure tells when every component has forgotten.",
                page=EVENTS_PAGE,
            )


def _expect_bare_event(examiner: _Examiner, user_id: str) -> None:
    (erased,) = examiner.events("user.erased", user_id)
    if erased["data"]:
        examiner.fail(
            "personal-data",
            asked="the data of the event user.erased",
            got=", ".join(erased["data"]),
            expected="none",
            why="The event is stored in queues and outboxes for days, after the person has gone.",
            page=EVENTS_PAGE,
        )
    before = max(event["version"] for event in examiner.events("user.updated", user_id))
    if erased["version"] <= before:
        examiner.fail(
            "old-version",
            asked="the version of the event user.erased",
            got=f"{erased['version']}, where the edit before it has {before}",
            expected=f"{before + 1}, as in the erasure",
            why="A consumer ignores an event that is not newer than what it has.",
            page=EVENTS_PAGE,
        )


def check_sign_in(workspace: Workspace) -> None:
    """Check that a refusal tells nothing about accounts, and that attempts are limited."""
    settings = {
        "SIGN_IN_LIMIT_PER_NAME": str(ATTEMPTS),
        "SIGN_IN_WINDOW_SECONDS": str(_WINDOW_SECONDS),
    }
    window = time.time() // _WINDOW_SECONDS
    with run_service(workspace, "users", settings) as service:
        examiner = _Examiner(workspace, service, "sign_in", SERVICE)
        examiner.register("ada")
        opened = []
        for name in ("ada", "Ada"):
            asked = f"POST {_SESSIONS} as {name}, who registered as ada"
            opened.append(examiner.open_session(name))
            examiner.expect(opened[-1], 201, asked, "no-session")
        _expect_two_sessions(examiner, [_claims(each.body["token"])["jti"] for each in opened])
        known, slowest = _time(lambda _: examiner.open_session("ada", "wrong password"))
        unknown, fastest = _time(lambda number: examiner.open_session(f"absent{number}"))
        _expect_alike(examiner, known[0], unknown[0])
        if fastest < slowest / 2:
            examiner.fail(
                "tells-names",
                asked="the time of a wrong password, and of a name without an account",
                got=f"{slowest * 1000:.0f} ms, and {fastest * 1000:.0f} ms",
                expected="the same, because both verify a password",
                why="With a watch, a list of names becomes a list of members.",
                page=PASSWORDS_PAGE,
            )
        refused, took = _time(lambda _: examiner.open_session("ada"))
        if window != time.time() // _WINDOW_SECONDS:
            msg = "the hour of the limit ended during the check"
            raise CheckInconclusive(msg)
        _expect_limit(examiner, refused[0])
        elsewhere = examiner.open_session("ada", address="192.0.2.2")
        examiner.expect(elsewhere, 201, "the right password, from another address", "locks-out")
        if took > slowest / 2:
            examiner.fail(
                "verifies-first",
                asked=f"attempt {ATTEMPTS + 1} of {ATTEMPTS} that are allowed",
                got=f"429 after {took * 1000:.0f} ms; a wrong password takes"
                f" {slowest * 1000:.0f} ms",
                expected="429 without a password that is verified",
                why="A limit that works first and counts afterwards protects no processor.",
                page=PASSWORDS_PAGE,
            )


def _claims(token: str) -> dict[str, Any]:
    payload = token.split(".")[1]
    claims: dict[str, Any] = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return claims


def _expect_two_sessions(examiner: _Examiner, sessions: list[str]) -> None:
    if len(set(sessions)) == len(sessions):
        return
    examiner.fail(
        "one-session",
        asked="two sign-ins of one person",
        got=f"the session id {sessions[0]} twice",
        expected="an id for each session",
        why="A session is ended by its id; the other one would end with it.",
        page="docs/adr/0003-sessions.md",
    )


def _time(request: Callable[[int], Response]) -> tuple[list[Response], float]:
    """Send a request some times, and return the responses and the shortest time in seconds."""
    responses, times = [], []
    for number in range(_TIMED):
        began = time.monotonic()
        responses.append(request(number))
        times.append(time.monotonic() - began)
    return responses, min(times)


def _expect_alike(examiner: _Examiner, known: Response, unknown: Response) -> None:
    asked = f"POST {_SESSIONS} with a wrong password"
    examiner.expect(known, 401, asked, "no-refusal")
    if known.body.get("type") != _REFUSAL:
        examiner.fail(
            "no-kind",
            asked=f"the type of the refusal of {asked}",
            got=str(known.body.get("type")),
            expected=_REFUSAL,
            why="Clients decide by the type what to show; the text is for people.",
            page="docs/adr/0007-api.md",
        )
    seen = [
        (response.status, *(response.body.get(name) for name in ("type", "title", "detail")))
        for response in (known, unknown)
    ]
    if seen[0] == seen[1]:
        return
    examiner.fail(
        "tells-names",
        asked=f"{asked}, and for a name without an account",
        got=f"{seen[1][0]} {seen[1][3]}",
        expected=f"the same refusal: {seen[0][0]} {seen[0][3]}",
        why="A refusal that says which half was wrong tells strangers who is a member.",
        page=PASSWORDS_PAGE,
    )


def _expect_limit(examiner: _Examiner, refused: Response) -> None:
    if refused.status == 429:
        return
    examiner.fail(
        "no-limit",
        asked=f"attempt {ATTEMPTS + 1} to sign in as ada, where {ATTEMPTS} are allowed",
        got=str(refused.status),
        expected="429, also with the right password",
        why="Without a limit, a list of frequent passwords is tried in an afternoon.",
        page=PASSWORDS_PAGE,
    )


def _listed(statuses: "Counter[int]") -> str:
    return ", ".join(f"{count} × {status}" for status, count in sorted(statuses.items()))


CHECKS = (check_unique_names, check_sign_in, check_edits, check_erasure)
