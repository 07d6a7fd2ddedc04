"""The coupling of the monolith's domains, as its code shows it: `python -m labs.coupling`.

Prints JSON: for `imports`, `foreign_keys` and `writes`, each `a -> b` (domain a touches domain b)
with a place where it does. A write is one by a request for a's data to a table of b, found in a
forum that runs on an empty SQLite database. Modules for extracted domains (`extracted/`) do not
count, since they are not part of the monolith before the split.
"""

import ast
import json
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient
from sqlalchemy import Connection, Engine, event

import forum
from forum.app import create_app
from forum.commands.migrate import upgrade
from forum.database import Base
from forum.settings import ForumSettings
from infra.keypair import generate_keypair
from infra.stages import DOMAINS

PACKAGE = Path(forum.__file__).parent
PASSWORD = "correct horse battery"  # noqa: S105 - of an account on an empty database
_WRITE = re.compile(r"^\s*(?:INSERT INTO|UPDATE|DELETE FROM)\s+\"?(\w+)", re.IGNORECASE)


def main() -> int:
    """Print the report."""
    report = {
        "imports": find_imports(),
        "foreign_keys": find_foreign_keys(),
        "writes": find_writes(),
    }
    sys.stdout.write(json.dumps(report, indent=2, sort_keys=True) + "\n")
    return 0


def find_imports() -> dict[str, str]:
    """Return which domain imports modules of which other one, each with `path:line`."""
    found: dict[str, str] = {}
    for domain in DOMAINS:
        for file in sorted((PACKAGE / domain).glob("*.py")):
            tree = ast.parse(file.read_text(encoding="utf-8"))
            for name, line in _imported(tree):
                package, _, rest = name.partition(".")
                other = rest.partition(".")[0]
                if package == "forum" and other in DOMAINS and other != domain:
                    where = f"{file.relative_to(PACKAGE.parents[1])}:{line}"
                    found.setdefault(f"{domain} -> {other}", where)
    return found


def _imported(tree: ast.Module) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            # Its names may be modules: from forum.users import events.
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)


def tables_by_domain() -> dict[str, str]:
    """Return the domain of each table that a domain's models define."""
    found = {}
    for mapper in Base.registry.mappers:
        domain = mapper.class_.__module__.removeprefix("forum.").partition(".")[0]
        if domain in DOMAINS:
            found[mapper.local_table.name] = domain  # type: ignore[attr-defined]
    return found


def find_foreign_keys() -> dict[str, str]:
    """Return which domain's tables refer to rows of which other one, each with a column."""
    domains = tables_by_domain()
    found: dict[str, str] = {}
    for table in Base.metadata.tables.values():
        for key in table.foreign_keys:
            owner, other = domains.get(table.name), domains.get(key.column.table.name)
            if owner and other and owner != other:
                found.setdefault(f"{owner} -> {other}", f"{table.name}.{key.parent.name}")
    return found


def find_writes() -> dict[str, str]:
    """Return which domain's requests write tables of which other one, each with a request."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/forum.sqlite"
        upgrade(url)
        private, public = generate_keypair()
        settings = ForumSettings(
            database_url=url,
            secret_key="x" * 32,
            session_private_key=private,
            session_public_keys=public,
        )
        client = create_app(settings).test_client(use_cookies=False)
        return dict(_observe_requests(client))


def _observe_requests(client: FlaskClient) -> Iterator[tuple[str, str]]:
    domains = tables_by_domain()
    written: list[str] = []

    def note(_c: Connection, _cursor: Any, statement: str, *_: Any) -> None:
        if found := _WRITE.match(statement):
            written.append(found[1])

    event.listen(Engine, "before_cursor_execute", note)
    try:
        for domain, name, request in _use(client):
            written.clear()
            request()
            for table in written:
                other = domains.get(table, domain)
                if other != domain:
                    yield f"{domain} -> {other}", f"{name} writes {table}"
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def _use(client: FlaskClient) -> Iterator[tuple[str, str, Callable[[], None]]]:
    """Yield the requests of a short life of the forum, each with its domain and its name."""
    ada = {"username": "ada", "password": PASSWORD}
    state: dict[str, Any] = {}

    def send(method: str, path: str, body: object = None, *, keep: str = "") -> None:
        response = client.open(path, method=method, json=body, headers=state.get("headers"))
        if response.status_code >= 300:
            msg = f"{method} {path}: {response.status_code} {response.text}"
            raise RuntimeError(msg)
        if keep:
            state[keep] = response.json

    yield "users", "POST /api/users", lambda: send("POST", "/api/users", ada)
    yield (
        *("users", "POST /api/users/sessions"),
        lambda: send("POST", "/api/users/sessions", ada, keep="session"),
    )
    state["headers"] = {"Authorization": f"Bearer {state['session']['token']}"}
    yield (
        *("threads", "POST /api/threads"),
        lambda: send("POST", "/api/threads", {"title": "First"}, keep="thread"),
    )
    thread, me = state["thread"]["id"], f"/api/users/{state['session']['user']['id']}"
    new = {"thread_id": thread, "body": "Hello"}
    yield "posts", "POST /api/posts", lambda: send("POST", "/api/posts", new, keep="post")
    for method, path, body in (
        ("PATCH", f"/api/posts/{state['post']['id']}", {"body": "Hello again"}),
        ("PATCH", f"/api/threads/{thread}", {"title": "Second"}),
        ("PATCH", me, {"display_name": "Ada L."}),
        ("DELETE", f"/api/posts/{state['post']['id']}", None),
        ("DELETE", f"/api/threads/{thread}", None),
        ("DELETE", me, {"password": PASSWORD}),
    ):
        domain = path.split("/")[2]
        name = f"{method} /api/{domain}/<id>"
        yield domain, name, partial(send, method, path, body)


if __name__ == "__main__":
    sys.exit(main())
