"""Checks of lab 4: users behind a port, at a service, and behind a network that fails."""

import json
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from infra.runner.free_port import free_port
from labs.lessons.lab04_seam import probe_client, probe_page
from labs.outcome import CheckNotRun, fail
from labs.peer import run_peer
from labs.server import HOST, Request, serve
from labs.service_probe import run_service
from labs.tracebacks import fail_if_unwritten, find_last_error
from labs.workspace import Workspace

POSTS = "monolith/forum/posts/store.py"
ACTORS = "monolith/forum/users/actors.py"
REMOTE = "monolith/forum/users/extracted/remote.py"
QUERIES = "monolith/forum/users/queries.py"
FALLBACK = "monolith/forum/users/extracted/fallback.py"
POOL = "chassis/chassis/client/connection_pool.py"
STAGES_PAGE = "docs/adr/0001-stages.md"
SPLIT_PAGE = "docs/adr/0013-duplication.md"
CALLS_PAGE = "docs/adr/0015-calls.md"
EDITS_PAGE = "docs/adr/0005-edits.md"
KEYS_PAGE = "docs/adr/0006-idempotency.md"

_FOLDER = Path(__file__).parent
_PER_ADDRESS = 3
_NEWER_USER = {
    "id": "newer",
    "username": "newer",
    "display_name": "Newer",
    "bio": "",
    "role": "member",
    "created_at": "2026-01-01T00:00:00.000Z",
    "pronouns": "they",
}
_SLOW_SECONDS = 5.0
_LATE_SECONDS = 3.5  # much later than the deadline, because a busy machine may be late, too
_DRIP_SECONDS = 0.1


def check_port(workspace: Workspace) -> None:
    """Check who may write posts, before and after users is extracted."""
    before, after = _run_posts(workspace)
    _check_writes_before(before)
    _check_writes_after(after, workspace)


def _run_posts(workspace: Workspace) -> tuple[dict[str, tuple[int, str]], ...]:
    with tempfile.TemporaryDirectory() as folder:
        output = _run(workspace, "probe_posts.py", folder, page=STAGES_PAGE)
    lines = [json.loads(line) for line in output.splitlines() if line.startswith("[")]
    return tuple({name: (status, author) for name, status, author in line} for line in lines)


def _check_writes_before(found: Mapping[str, tuple[int, str]]) -> None:
    expected = {"member": (201, "ada"), "deleted account": (401, ""), "suspended member": (403, "")}
    for writer, wanted in expected.items():
        if found[writer] != wanted:
            fail(
                "wrong-owner",
                asked=f"POST /api/posts by a {writer}, while the monolith owns users",
                got=_written(found[writer]),
                expected=_written(wanted),
                where=POSTS,
                why=(
                    "The caller does not choose an implementation. self.actors() returns that of"
                    " the present owner: the table, or the replica."
                ),
                page=STAGES_PAGE,
            )


def _check_writes_after(found: Mapping[str, tuple[int, str]], workspace: Workspace) -> None:
    asked = "while the users service owns users"
    for writer, wanted in {
        "newcomer": (201, "Grace"),
        "newcomer's edit of another's post": (403, ""),
        "newcomer's deletion as a moderator": (204, ""),
    }.items():
        if found[writer][0] != wanted[0]:
            fail(
                "unknown-writer",
                asked=f"{_NEWCOMERS[writer]}, {asked}",
                got=_written(found[writer]),
                expected=_written(wanted),
                where=workspace.find_line(POSTS, "_find_actor(session")
                if "_find_actor(" in (workspace.folder / POSTS).read_text(encoding="utf-8")
                else POSTS,
                why=(
                    "The account is a row at the users service. Here it has no row until an event"
                    " arrives, but the session is signed and says who it is."
                ),
                page=STAGES_PAGE,
            )
    where = workspace.find_line(ACTORS, "class ReplicaActors")
    for writer in ("newer session", "older session"):
        if found[writer] != (201, "Grace Hopper"):
            fail(
                "stale-name",
                asked=f"a post with a session {_VERSIONS[writer]}, {asked}",
                got=_written(found[writer]),
                expected="201, by Grace Hopper",
                where=where,
                why="Row and session are two copies of one account; the newer version counts.",
                page=STAGES_PAGE,
            )
    if found["suspended meanwhile"][0] != 403:
        fail(
            "suspended-writes",
            asked=f"a post by a person suspended by an event, {asked}",
            got=_written(found["suspended meanwhile"]),
            expected="403",
            where=where,
            why="A session lives for hours, and says what was true when it was opened.",
            page=STAGES_PAGE,
        )


_NEWCOMERS = {
    "newcomer": "a post by someone who has registered just now",
    "newcomer's edit of another's post": "an edit of another's post, by someone without a row",
    "newcomer's deletion as a moderator": "a deletion by a moderator without a row",
}
_VERSIONS = {
    "newer session": "of version 2, named Grace Hopper; the row has version 1, named Grace",
    "older session": "of version 1, named Grace; the row has version 2, named Grace Hopper",
}


def _written(result: tuple[int, str]) -> str:
    status, author = result
    return f"{status}, by {author}" if author else str(status)


def check_client(workspace: Workspace) -> None:
    """Check the remote client at a real users service, and the number of queries of a page."""
    limit = {"SIGN_IN_LIMIT_PER_ADDRESS": str(_PER_ADDRESS)}
    with (
        tempfile.TemporaryDirectory() as folder,
        serve(_respond_oddly) as odd,
        run_service(workspace, "users", limit) as service,
    ):
        addresses = (service.url, f"http://{HOST}:{odd}", folder)
        output = _run(workspace, "probe_client.py", *addresses, page=CALLS_PAGE)
    results: dict[str, Any] = json.loads(output.splitlines()[-1])
    _check_registrations(results, workspace)
    _check_edits(results, workspace)
    _check_responses(results, workspace)
    _check_queries(results, workspace)


def _respond_oddly(request: Request) -> None:
    body = _NEWER_USER if request.path.endswith("/newer") else {}
    headers = [("Content-Type", "application/json"), ("ETag", '"1"')]
    request.respond(200, json.dumps(body).encode(), headers)


def _check_registrations(results: Mapping[str, Any], workspace: Workspace) -> None:
    where = workspace.find_line(REMOTE, "def register(")
    first = results["register"]
    if not isinstance(first, dict) or results["without a name"] != "lin":
        got = first if not isinstance(first, dict) else results["without a name"]
        _refuse(
            "registration",
            asked="register() at a users service, with a display name and without",
            got=got,
            expected="the account; without a display name, its name is the username",
            where=where,
            why="The page of registration works the same before and after the split.",
            page=SPLIT_PAGE,
        )
    if first.get("version") != 1:
        _refuse(
            "no-version",
            asked="the version of the account that register() returns",
            got=first.get("version"),
            expected="1, from the ETag",
            where=where,
            why="The API sends it in the ETag of its response, and the next edit needs it.",
            page=SPLIT_PAGE,
        )
    if first != results["register again"]:
        _refuse(
            "not-repeatable",
            asked="register() twice with one idempotency key",
            got=results["register again"],
            expected="the same account",
            where=where,
            why=(
                "Between two processes, a response can be lost. The client may repeat the request"
                " only because the service knows it by its key."
            ),
            page=KEYS_PAGE,
        )
    refused = [each for each in results["addresses"] if not each.startswith("person-")]
    if refused:
        _refuse(
            "one-address",
            asked=f"registrations from {probe_client.ADDRESSES} browsers, where each address may"
            f" register {_PER_ADDRESS} times",
            got=f"{len(refused)} refused: {refused[0]}",
            expected="none refused",
            where=where,
            why=(
                "The service sees one caller, the monolith. Without the browser's address in the"
                " request, a few people use up the attempts of all."
            ),
            page=CALLS_PAGE,
        )


def _check_edits(results: Mapping[str, Any], workspace: Workspace) -> None:
    where = workspace.find_line(REMOTE, "def change(")
    if results["get"] != ["ada", 1] or results["change"] != "change":
        is_read = results["get"] == ["ada", 1]
        _refuse(
            "edit" if is_read else "read",
            asked="change() of version 1" if is_read else "get() of an account of version 1",
            got=results["change"] if is_read else results["get"],
            expected="the changed user" if is_read else "ada, version 1",
            where=where if is_read else workspace.find_line(REMOTE, "def get("),
            why="The pages use the port, and do not notice which component owns users.",
            page=EDITS_PAGE,
        )
    if not str(results["change again"]).startswith("PreconditionFailed"):
        _refuse(
            "lost-update",
            asked="change() of version 1 again, when the account has version 2",
            got=results["change again"],
            expected="PreconditionFailed",
            where=where,
            why="The condition has to travel along. Otherwise the second edit replaces the first.",
            page=EDITS_PAGE,
        )


def _check_responses(results: Mapping[str, Any], workspace: Workspace) -> None:
    if not str(results["get an unknown user"]).startswith("NotFound"):
        _refuse(
            "not-found",
            asked="get() of an unknown id",
            got=results["get an unknown user"],
            expected="NotFound",
            where=workspace.find_line(REMOTE, "def get("),
            why="A page turns NotFound into a 404. Any other failure reads as an outage.",
            page=CALLS_PAGE,
        )
    where = workspace.find_line(REMOTE, "def _user(")
    if results["new field"] != "newer":
        _refuse(
            "new-field",
            asked="get() of a user with one more field, from a newer service",
            got=results["new field"],
            expected="the user",
            where=where,
            why="The service is deployed on its own. A new field must not break its callers.",
            page=SPLIT_PAGE,
        )
    if not str(results["no user"]).startswith("Unavailable"):
        _refuse(
            "broken-response",
            asked="get(), when the response has no field of a user",
            got=results["no user"],
            expected="Unavailable",
            where=where,
            why="A KeyError in a page is a fault of the monolith; this is one of the service.",
            page=CALLS_PAGE,
        )


def _check_queries(results: Mapping[str, Any], workspace: Workspace) -> None:
    where = workspace.find_line(QUERIES, "def handles(")
    one, many = results["queries"]
    if many > one:
        _refuse(
            "n-plus-one",
            asked="handles() of 1 and of 20 users",
            got=f"{one} and {many} queries",
            expected=f"{one} and {one}",
            where=where,
            why=(
                "A page with 20 authors waits 20 times. With a network in between, this is the"
                " first mistake that people see."
            ),
            page=CALLS_PAGE,
        )
    if results["handles"] != ["a known user"]:
        _refuse(
            "wrong-handles",
            asked="handles() of a known user, an erased one, a placeholder and an unknown id",
            got=", ".join(results["handles"]) or "none of them",
            expected="a known user",
            where=where,
            why="A page shows a placeholder for people who are not known, or no more.",
            page=STAGES_PAGE,
        )


def _refuse(name: str, *, got: object, **told: str) -> NoReturn:
    fail(name, got=str(got), **told)


def check_timeouts(workspace: Workspace) -> None:
    """Check the page of a user while the users service fails in several ways."""
    with (
        tempfile.TemporaryDirectory() as folder,
        run_peer(lambda _: (200, _SLOW_SECONDS)) as silent,
        run_peer(lambda _: (200, _SLOW_SECONDS)) as retried,
        serve(_drip) as drip,
    ):
        peers = (
            f"refuses=http://{HOST}:{free_port()}",
            f"accepts and stays silent={silent.url}",
            f"drips=http://{HOST}:{drip}",
            f"{probe_page.RETRIED}={retried.url}",
        )
        output = _run(workspace, "probe_page.py", folder, *peers, page=CALLS_PAGE, seconds=60)
    pages = {name: tuple(rest) for name, *rest in map(json.loads, _lists(output))}
    _check_fallback(pages, workspace)
    _check_limits(pages, workspace)
    if retried.requests > 1:
        fail(
            "retries-slow",
            asked=f"a call with a timeout of {probe_page.SHORT_SECONDS} s, to a silent peer",
            got=f"{retried.requests} requests",
            expected="1 request",
            where=workspace.find_line(POOL, "retryable="),
            why=(
                "A peer that is slow has too much to do. Each retry adds to it, and makes the"
                " caller wait again."
            ),
            page=CALLS_PAGE,
        )


def _lists(output: str) -> list[str]:
    return [line for line in output.splitlines() if line.startswith("[")]


def _drip(request: Request) -> None:
    """Send a response byte by byte, each long before a timeout between two bytes ends."""
    request.send_response(200)
    request.send_header("Content-Type", "application/json")
    request.send_header("Content-Length", "1000")
    request.end_headers()
    end = time.monotonic() + _SLOW_SECONDS
    request.close_connection = True
    try:
        while time.monotonic() < end:
            request.wfile.write(b" ")
            request.wfile.flush()
            time.sleep(_DRIP_SECONDS)
    except OSError:
        return  # the client has stopped waiting


def _check_fallback(pages: Mapping[str, tuple[int, float, bool]], workspace: Workspace) -> None:
    where = workspace.find_line(FALLBACK, "def get(")
    for name, expected, why in (
        (
            "refuses",
            200,
            "Profiles are in the replica. A page that can be shown must not fail.",
        ),
        (
            "unknown",
            503,
            "The replica lags, so it cannot tell that somebody does not exist. A 404 would be a"
            " claim that is not true.",
        ),
        ("erased", 404, "The account is gone everywhere, and its page must not come back."),
    ):
        status, _, is_old = pages[name]
        if status != expected or (status == 200 and not is_old):
            fail(
                {"unknown": "invented-404", "erased": "erased-shown"}.get(name, "no-fallback"),
                asked=f"the page of {_PEOPLE[name]} user, while the users service refuses",
                got=f"{status}{'' if status != 200 or is_old else ', without a notice'}",
                expected=f"{expected}{', with a notice' if expected == 200 else ''}",
                where=where,
                why=why,
                page=CALLS_PAGE,
            )


_PEOPLE = {"refuses": "a known", "unknown": "an unknown", "erased": "an erased"}


def _check_limits(pages: Mapping[str, tuple[int, float, bool]], workspace: Workspace) -> None:
    deadline = int(probe_page.DEADLINE_MS) / 1000
    for name, diagnosis, sign, why in (
        (
            "accepts and stays silent",
            "no-limit",
            "timeout = ",
            "A connection that opens is no response. Without a limit of the read, each request"
            " keeps a thread of the monolith until none is left.",
        ),
        (
            "drips",
            "no-total",
            "def _read(",
            "A read timeout begins anew with each byte. Only the time since the beginning ends"
            " a response that never ends.",
        ),
    ):
        status, seconds, is_old = pages[name]
        if seconds > _LATE_SECONDS or status != 200 or not is_old:
            fail(
                diagnosis,
                asked=f"a user's page, within {deadline} s, when the users service {name}",
                got=f"{status} after {seconds:.1f} s",
                expected=f"200 from the replica, after about {deadline} s",
                where=workspace.find_line(POOL, sign),
                why=why,
                page=CALLS_PAGE,
            )


def _run(
    workspace: Workspace, program: str, *arguments: str, page: str, seconds: float = 30
) -> str:
    """Run a program of this lesson on the workspace's code; return its output."""
    done = workspace.run(str(_FOLDER / program), *arguments, seconds=seconds)
    # A page reports an error of its own as a 500, and logs it.
    fail_if_unwritten(done.stderr, workspace.folder, page)
    if done.returncode:
        raise CheckNotRun(done.stderr)
    if error := find_last_error(done.stderr, workspace.folder):
        fail(
            "error",
            asked="requests to the monolith, or calls of its clients",
            got=error.text,
            expected="no error of the program",
            where=error.where,
            why="People see a 500, and the cause is only in the log.",
            page=page,
        )
    return done.stdout


CHECKS = (check_port, check_client, check_timeouts)
