"""Events in a running stage: delivery, graceful stops, and replays."""

import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import requests

from infra.runner import process_specs
from infra.runner.config import BUS, PORTS
from infra.runner.free_port import free_port
from tests.support.harness import Stack

USERS = frozenset({"users"})
SMALL = {"WEB_CONCURRENCY": "1"}


class Forum:
    """A person with their own thread; the monolith shows the name from its replica."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        account = {"username": "ada", "password": "correct horse battery"}
        self._user = self._send("POST", "users", account)["id"]
        self._token = self._send("POST", "users/sessions", account)["token"]
        self._thread = self._send("POST", "threads", {"title": "Names"})["id"]

    def rename(self, name: str) -> None:
        self._send("PATCH", f"users/{self._user}", {"display_name": name})

    def name(self) -> str:
        return str(self._send("GET", f"threads/{self._thread}")["author"]["display_name"])

    def is_shown_as(self, name: str) -> bool:
        return self.name() == name

    def _send(self, method: str, path: str, body: object = None) -> Any:
        token = getattr(self, "_token", None)
        answer = requests.request(
            method,
            f"{self._stack.base_url}/api/{path}",
            json=body,
            headers={"Authorization": f"Bearer {token}"} if token else {},
            timeout=10,
        )
        assert answer.ok, answer.text
        return answer.json()


def eventz(stack: Stack, component: str) -> dict[str, Any]:
    status: dict[str, Any] = requests.get(f"{stack.urls[component]}/eventz", timeout=5).json()
    return status


def until(done: Callable[[], object], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def rename_unseen(stack: Stack, forum: Forum, name: str) -> None:
    """Rename a user while the monolith does not consume; the event waits in its queue."""
    before = eventz(stack, "monolith")["queue_depth"]
    forum.rename(name)
    until(lambda: eventz(stack, "monolith")["queue_depth"] > before)
    until(lambda: eventz(stack, "users")["outbox_age_seconds"] == 0)
    assert forum.name() != name


def test_new_name_shows_within_seconds(tmp_path: Path) -> None:
    with Stack(USERS, tmp_path, SMALL) as stack:
        forum = Forum(stack)
        waited = []
        # The best of three, and longer where more is going on than there are processors for.
        for name in ("Ada", "Augusta", "Countess"):
            forum.rename(name)
            began = time.monotonic()
            until(partial(forum.is_shown_as, name))
            crowd = max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
            waited.append((time.monotonic() - began) / crowd)
        assert min(waited) < 5


def test_queued_events_at_an_orderly_stop_arrive_after_a_restart(tmp_path: Path) -> None:
    stack = Stack(USERS, tmp_path, SMALL, restart=True)
    with stack:
        forum = Forum(stack)
        stack.stop_process("monolith-worker")
        rename_unseen(stack, forum, "Countess")
        assert stack.stop() == 0
    # The port is another one, too: nothing remembers a queue's address.
    stack.environment = {**stack.environment, PORTS[BUS][0]: str(free_port())}
    with stack:
        until(lambda: forum.name() == "Countess")


def test_events_of_a_killed_bus_arrive_after_the_next_start(tmp_path: Path) -> None:
    stack = Stack(USERS, tmp_path, SMALL)
    with stack:
        forum = Forum(stack)
        stack.pause("monolith-worker")
        rename_unseen(stack, forum, "Countess")
        stack.kill("bus")
        assert stack.process is not None
        assert stack.process.wait(20) == 1
    with stack:
        until(lambda: forum.name() == "Countess")


def test_events_of_a_restarted_bus_are_published_again(tmp_path: Path) -> None:
    with Stack(USERS, tmp_path, SMALL, restart=True) as stack:
        forum = Forum(stack)
        stack.stop_process("monolith-worker")
        rename_unseen(stack, forum, "Countess")
        stack.wait_until_recovered(0)
        before = stack.recoveries()
        stack.kill("bus")
        stack.wait_until_recovered(before)
        stack.start_process("monolith-worker")
        until(lambda: forum.name() == "Countess")


def test_events_are_published_again_on_demand(tmp_path: Path) -> None:
    with Stack(USERS, tmp_path, SMALL) as stack:
        forum = Forum(stack)
        forum.rename("Countess")
        until(lambda: forum.name() == "Countess")
        done = stack.control("replay", "SINCE=1h")
        assert done.returncode == 0, done.stderr
        lines = [line.partition(": ") for line in done.stdout.splitlines()]
        assert {component for component, _, _ in lines} == {"monolith", "users"}
        until(lambda: eventz(stack, "users")["outbox_age_seconds"] == 0)
        assert forum.name() == "Countess"


def send(environment: dict[str, str], body: str) -> None:
    """Send a message to a component's queue.

    This process's environment is not used, because other tests point it at another bus.
    """
    queue = boto3.client(
        "sqs",
        endpoint_url=environment["AWS_ENDPOINT_URL"],
        region_name=environment["AWS_DEFAULT_REGION"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
    )
    queue.send_message(QueueUrl=environment["EVENTS_QUEUE_URL"], MessageBody=body)


def test_dead_letters_go_back_to_their_queue(tmp_path: Path) -> None:
    with Stack(USERS, tmp_path, SMALL) as stack:
        send(process_specs.component_environment(stack.config, "monolith"), "no event")
        until(lambda: eventz(stack, "monolith")["dead_letters"] == 1)
        done = stack.control("replay", "QUEUE=monolith")
        assert done.stdout == "monolith: 1 dead letter returned to the queue\n"
        # It is as wrong as before.
        until(lambda: eventz(stack, "monolith")["dead_letters"] == 1)
        refused = stack.control("replay", "QUEUE=posts")
        assert refused.returncode == 1
        assert "choose one of monolith, users" in refused.stderr


def test_monolith_alone_has_no_bus_and_no_replay(tmp_path: Path) -> None:
    with Stack(frozenset(), tmp_path, SMALL) as stack:
        refused = stack.control("replay", "SINCE=1h")
        assert refused.returncode == 1
        assert "there are no events to replay" in refused.stderr
        assert stack.pid(BUS) == 0
