"""Load the demo content into a running forum, through its public API.

    python -m infra.demo.load --url http://127.0.0.1:8080

All demo people have the same published password, so don't load them into a forum with valuable
content. An interrupted load can be repeated while the forum stores idempotency keys (24 hours):
nothing is written twice.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import urllib3

from infra.demo.content import Content, Person, read

PASSWORD = "demo-password"  # noqa: S105 - published on purpose

_LOCALLY = "http://127.0.0.1:8080"
_TIMEOUT = urllib3.Timeout(connect=2, read=10)  # seconds; for reads, between bytes of a response
_AT_ONCE = 4  # people registered in parallel; each needs two slow password hashes
_HINTS = {
    401: " A demo username is already taken, or its password was changed.",
    422: " This forum has another version of the demo content; start from an empty one.",
}


class DemoError(Exception):
    """The forum's response broke its contract; the message is for the user."""


class Client:
    """The forum's API as one person uses it."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._headers: dict[str, str] = {}
        # Each write here can be repeated: it has a key, or sets a state.
        retry = urllib3.Retry(4, backoff_factor=0.1, status_forcelist=[503], allowed_methods=None)
        retry.raise_on_status = False
        # Ignores proxies and cookies.
        self._http = urllib3.PoolManager(retries=retry, timeout=_TIMEOUT)

    def close(self) -> None:
        """Close the connection."""
        self._http.clear()

    def send(
        self, method: str, path: str, body: dict[str, str], *accept: int, key: str = ""
    ) -> dict[str, Any]:
        """Send JSON and return the response's; raise DemoError unless its status is accepted."""
        headers = self._headers | ({"Idempotency-Key": key} if key else {})
        what, url = f"{method} {path} {key}".rstrip(), self._url + path
        try:
            answer = self._http.request(method, url, json=body, headers=headers, redirect=False)
        except urllib3.exceptions.HTTPError as error:
            raise DemoError(f"{what} got no response from {self._url}: {error}") from error
        text = answer.data.decode(errors="replace")
        if answer.status not in accept:
            hint = _HINTS.get(answer.status, "")
            raise DemoError(f"{what} returned {answer.status}.{hint}\n{text[:500]}")
        try:
            found = json.loads(text)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise DemoError(f"{what} did not return a JSON object. Is {self._url} a forum?")
        return found

    def authorize(self, token: str) -> None:
        """Send a session's token with the following requests."""
        self._headers["Authorization"] = f"Bearer {token}"

    def register_and_sign_in(self, person: Person) -> None:
        """Register the person, or sign in if registered already, and set the profile."""
        credentials = {"username": person.username, "password": PASSWORD}
        user = credentials | {"display_name": person.display_name}
        self.send("POST", "/api/users", user, 201, 409)
        session = self.send("POST", "/api/users/sessions", credentials, 201)
        self.authorize(session["token"])
        self.send("PATCH", f"/api/users/{session['user']['id']}", {"bio": person.bio}, 200)


def load(url: str, content: Content) -> Iterator[int]:
    """Write the content to the forum at `url`; yield the number of writes after each step."""
    done = 0
    with ExitStack() as stack, ThreadPoolExecutor(_AT_ONCE) as pool:
        clients = {person.username: Client(url) for person in content.people}
        for client in clients.values():
            stack.callback(client.close)
        for _ in pool.map(
            lambda person: clients[person.username].register_and_sign_in(person), content.people
        ):
            yield (done := done + 1)
        ids: dict[str, str] = {}
        for post in content.posts:  # sequentially, so that the order by activity is this order
            client, slug = clients[post.author], post.thread.slug
            if slug not in ids:
                title = {"title": post.thread.title}
                thread = client.send("POST", "/api/threads", title, 201, key=f"demo-{slug}")
                ids[slug] = thread["id"]
                yield (done := done + 1)
            body = {"thread_id": ids[slug], "body": post.body}
            client.send("POST", "/api/posts", body, 201, key=f"demo-{slug}-{post.number}")
            yield (done := done + 1)


def main(arguments: Sequence[str] | None = None) -> int:
    """Load the demo content and print how to sign in; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m infra.demo.load")
    parser.add_argument("--url", default=_LOCALLY, help="address of the forum (%(default)s)")
    url = parser.parse_args(arguments).url
    content = read()
    names = [person.username for person in content.people]
    total = len(names) + len(content.threads) + len(content.posts)
    show = _on_one_line if sys.stdout.isatty() else _silently
    start = time.monotonic()
    try:
        for done in load(url, content):
            show(f"Demo content: {done} of {total}")
    except DemoError as error:
        show("")
        print(f"The demo content could not be loaded. {error}", file=sys.stderr)
        return 1
    show("")
    counts = f"{len(names)} people, {len(content.threads)} threads, {len(content.posts)} posts"
    print(f"Demo content: {counts}, loaded in {time.monotonic() - start:.1f} s.")
    print(sign_in_hint(content))
    return 0


def sign_in_hint(content: Content | None = None) -> str:
    """Return how to sign in as one of the demo people."""
    names = [person.username for person in (content or read()).people]
    return f"Sign in as {names[0]} with the password {PASSWORD} (or as {', '.join(names[1:])})."


def _on_one_line(text: str) -> None:
    print(f"\r\033[K{text}", end="", flush=True)


def _silently(_: str) -> None:
    """Print no progress, for log files."""


if __name__ == "__main__":
    sys.exit(main())
