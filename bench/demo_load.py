"""Put load on a forum that holds the demo content, for a limited time.

    LOAD_SECONDS=60 LOAD_CONNECTIONS=8 python -m bench.demo_load http://127.0.0.1:8080

It reads pages and the API, and writes a post in every twentieth request, all in a thread of its
own. Afterwards it prints what happened, and fails if requests did. It needs wrk.
"""

import json
import os
import random
import sys
from collections.abc import Mapping, Sequence

from bench import wrk
from chassis.clock import uuid7
from infra.demo.content import read
from infra.demo.load import PASSWORD, Client, DemoError

MAX_SECONDS, MAX_CONNECTIONS = 600, 64
_LINES = 400
_READS_PER_WRITE = 20


class LoadError(Exception):
    """The load cannot run; the message is for the user."""


def main(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run the load; return the exit code."""
    (url,) = arguments
    try:
        seconds = read_number(environ, "LOAD_SECONDS", 60, MAX_SECONDS)
        connections = read_number(environ, "LOAD_CONNECTIONS", 8, MAX_CONNECTIONS)
        requests = mixed_requests(url, random.Random(7))
        print(f"{connections} connections for {seconds} seconds ...", flush=True)
        result = wrk.run(url, requests, connections, seconds)
    except (DemoError, LoadError, wrk.WrkError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{result.requests:,} requests, {result.requests / result.seconds:,.0f} a second")
    print(f"half within {result.p50:.0f} ms, 99 % within {result.p99:.0f} ms")
    print(f"{result.refused:,} refused, {result.broken:,} without a response")
    return 1 if result.refused or result.broken else 0


def read_number(environ: Mapping[str, str], name: str, default: int, maximum: int) -> int:
    """Return a variable's value; raise LoadError unless it is from 1 to `maximum`."""
    text = environ.get(name) or str(default)
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= maximum):
        raise LoadError(f"{name} must be a number from 1 to {maximum}, not {text!r}.")
    return int(text)


def mixed_requests(url: str, rng: random.Random) -> list[wrk.Request]:
    """Return a mix of requests; one demo person signs in and opens a thread for the posts."""
    person = read().people[0]
    credentials = {"username": person.username, "password": PASSWORD}
    client = Client(url)
    try:
        session = client.send("POST", "/api/users/sessions", credentials, 201)
        listed = client.send("GET", "/api/threads?limit=50", {}, 200)["items"]
        client.authorize(session["token"])
        thread = client.send("POST", "/api/threads", {"title": "Load"}, 201, key=uuid7())["id"]
    finally:
        client.close()
    body = json.dumps({"thread_id": thread, "body": "A reply under *load*. " * 10})
    write = wrk.Request("/api/posts", "POST", session["token"], body)
    paths = ["/", f"/users/{session['user']['id']}", "/api/threads"]
    for each in listed:
        paths += [f"/threads/{each['id']}", f"/api/posts/in-thread/{each['id']}"]
    return [
        wrk.Request(rng.choice(paths)) if number % _READS_PER_WRITE else write
        for number in range(_LINES)
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
