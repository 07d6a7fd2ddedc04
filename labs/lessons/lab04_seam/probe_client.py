"""Program of a check: the client of users at a users service, and handles from the database.

It prints a table of results: for each name, what a call returned or raised. Its arguments are the
addresses of the service and of a peer with odd responses, and a folder for the database.
"""

import json
import logging
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

from sqlalchemy import event

from chassis.client.service_client import ServiceClient
from chassis.clock import utc_now, uuid7
from chassis.idempotency.keys import IdempotencyKey
from forum.commands.migrate import upgrade
from forum.database import Database
from forum.users.extracted.remote import RemoteUsers
from forum.users.persistence import anonymise, insert_placeholder, upsert
from forum.users.port import Identity, Registration, SessionClaims
from forum.users.queries import UserQueries
from labs.lessons.lab04_seam.people import make_state

PASSWORD = "correct horse battery"  # noqa: S105 - of an account on an empty database
ADDRESSES = 4


def attempt(call: Callable[[], Any]) -> Any:
    """Return what a call returned, or the name of what it raised."""
    try:
        return call()
    except NotImplementedError:
        raise
    except Exception as error:
        logging.debug("raised", exc_info=True)
        return f"{type(error).__name__}: {error}"


def main(service: str, odd: str, folder: str) -> None:
    """Print the results."""
    users = RemoteUsers(ServiceClient("users", service))
    results: dict[str, Any] = {}
    new = Registration("ada", "Ada", PASSWORD)
    key = IdempotencyKey("check", "/api/users", "a-key-of-ada", "of the request")
    first = attempt(lambda: users.register(new, "192.0.2.1", key))
    results["register"] = first
    results["register again"] = attempt(lambda: users.register(new, "192.0.2.1", key))
    results["without a name"] = attempt(
        lambda: users.register(Registration("lin", "", PASSWORD), "192.0.2.2")["display_name"]
    )
    results["addresses"] = [
        attempt(partial(_register_from, users, number)) for number in range(11, 11 + ADDRESSES)
    ]
    if isinstance(first, dict):
        results |= _read_and_edit(users, first["id"])
    results["get an unknown user"] = attempt(lambda: users.get(uuid7()).username)
    peer = RemoteUsers(ServiceClient("users", odd))
    results["new field"] = attempt(lambda: peer.get("newer").username)
    results["no user"] = attempt(lambda: peer.get("empty").username)
    results |= _count_queries(folder)
    sys.stdout.write(json.dumps(results) + "\n")


def _read_and_edit(users: RemoteUsers, user_id: str) -> dict[str, Any]:
    opened = users.sign_in("ada", PASSWORD, "192.0.2.3")
    claims = SessionClaims("ada", "Ada", "member", False, 1)
    me = Identity(user_id, uuid7(), opened.expires_at, claims, opened.token)
    results = {"get": attempt(lambda: [users.get(user_id).username, users.get(user_id).version])}
    for name in ("change", "change again"):
        results[name] = attempt(partial(_change_bio, users, me, name))
    return results


def _register_from(users: RemoteUsers, number: int) -> str:
    """Register from a browser with an address of its own; return the username."""
    new = Registration(f"person-{number}", "", PASSWORD)
    return str(users.register(new, f"192.0.2.{number}")["username"])


def _change_bio(users: RemoteUsers, me: Identity, bio: str) -> str:
    """Replace version 1 of an account; return the new text."""
    return users.change(me, me.subject, {"bio": bio}, frozenset({1})).bio


def _count_queries(folder: str) -> dict[str, Any]:
    """Count the queries for the handles of 1 and of 20 users, and name the users with a handle."""
    url = f"sqlite:///{folder}/forum.db"
    upgrade(url)
    database = Database(url)
    known, erased, unknown = [uuid7() for _ in range(20)], uuid7(), uuid7()
    with database.writing() as session:
        for user_id in [*known, erased]:
            upsert(session, user_id, 1, make_state(f"user-{user_id}", "Somebody"))
        anonymise(session, erased, 2, utc_now())
        insert_placeholder(session, unknown, utc_now(), "Somebody")
    statements: list[str] = []
    event.listen(
        database.engine,
        "before_cursor_execute",
        lambda *arguments: statements.append(arguments[2]),
    )
    queries, counts = UserQueries(database), []
    for asked in (known[:1], known):
        statements.clear()
        queries.handles(asked)
        counts.append(sum(each.lstrip().upper().startswith("SELECT") for each in statements))
    found = queries.handles([known[0], erased, unknown, uuid7()])
    names = {known[0]: "a known user", erased: "an erased user", unknown: "a placeholder"}
    return {"queries": counts, "handles": [names.get(each, "another user") for each in found]}


if __name__ == "__main__":
    main(*sys.argv[1:])
