"""The full split as a new user starts it: start time, size, security and persistence."""

import json
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from infra import session_keys, stages
from infra.demo.content import read
from infra.demo.load import PASSWORD
from infra.domains import SESSION_SIGNERS
from tests.compose import engine
from tests.compose.stack import Composed

FIRST_PAGE_SECONDS, MEBIBYTES = 20, 1024
CALM_SECONDS = 60
ONCE = {"setup", "migrate", "provision", "demo"}
EVERYTHING = frozenset(stages.DOMAINS)


class Started(Composed):
    """A stage that measures the time until the first page, and until all is healthy."""

    first_page = 0.0
    well = 0.0
    crowd = 1.0

    def start(self) -> "Started":
        """Start it like a user, and poll its front page."""
        self.first_page = 0.0
        began = time.monotonic()
        stop = threading.Event()

        def look() -> None:
            while not stop.wait(0.05):
                if engine.status_of(f"{self.base_url}/") == 200:
                    self.first_page = time.monotonic() - began
                    return

        looking = threading.Thread(target=look)
        looking.start()
        try:
            super().start()
        finally:
            self.well = time.monotonic() - began
            stop.set()
            looking.join()
        return self


@pytest.fixture(scope="module")
def forum(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    """Start everything, demo content included.

    Other work of the machine only makes a start slower, so it begins when the CPUs are idle, or
    after a minute.
    """
    started = Started(EVERYTHING, tmp_path_factory.mktemp("forum"), {"DEMO": "on"})
    deadline = time.monotonic() + CALM_SECONDS
    while crowd() > 1 and time.monotonic() < deadline:
        time.sleep(1)
    started.crowd = max(1.0, crowd())
    with started:
        yield started


def crowd() -> float:
    """Return the load average per CPU."""
    return os.getloadavg()[0] / (os.cpu_count() or 1)


def sign_in(forum: Composed) -> str:
    """Sign in as a demo user; return the token."""
    who = {"username": read().people[0].username, "password": PASSWORD}
    answer = requests.post(f"{forum.base_url}/api/users/sessions", json=who, timeout=20)
    answer.raise_for_status()
    return str(answer.json()["token"])


def threads(forum: Composed) -> list[str]:
    """Return the titles of all threads."""
    answer = requests.get(f"{forum.base_url}/api/threads?limit=100", timeout=20)
    answer.raise_for_status()
    return sorted(thread["title"] for thread in answer.json()["items"])


def names(forum: Composed) -> list[str]:
    """Return the services that have containers."""
    return forum.compose("ps", "-a", "--services").split()


def test_first_page_is_served_in_time(forum: Started, record_property: Any) -> None:
    for what, seconds in (("the first page", forum.first_page), ("all, with demo", forum.well)):
        record_property("table", ("seconds from `docker compose up`", what, f"{seconds:.1f}"))
    # Longer if the machine was overloaded.
    assert 0 < forum.first_page / forum.crowd < FIRST_PAGE_SECONDS


def test_demo_content_is_loaded(forum: Started) -> None:
    assert threads(forum) == sorted(thread.title for thread in read().threads)


def test_all_containers_fit_in_a_gibibyte(forum: Started, record_property: Any) -> None:
    time.sleep(5)
    ids = forum.compose("ps", "-q").split()
    rows = engine.docker("stats", "--no-stream", "--format", "{{.Name}} {{.MemUsage}}", *ids)
    total = 0.0
    for row in sorted(rows.splitlines()):
        name, used, *_ = row.split()
        mebibytes = in_mebibytes(used)
        total += mebibytes
        short = name.removeprefix(f"{forum.project}-").removesuffix("-1")
        record_property("table", ("MiB of memory, idle", short, f"{mebibytes:.0f}"))
    record_property("table", ("MiB of memory, idle", "in all", f"{total:.0f}"))
    assert total < MEBIBYTES


def test_no_container_runs_as_root(forum: Started) -> None:
    for part in set(names(forum)) - ONCE:
        assert forum.compose("exec", "-T", part, "id", "-u").strip() != "0", part


def test_container_can_write_only_its_data(forum: Started) -> None:
    for part in set(names(forum)) - ONCE:
        tried = forum.compose("exec", "-T", part, "sh", "-c", "touch /app/x /x /etc/x 2>&1 || true")
        assert tried.count("Read-only file system") + tried.count("No such file") == 3, part


def test_no_secret_is_visible_from_outside(forum: Started) -> None:
    secret = {
        name: (forum.config.secrets_folder / name).read_text(encoding="utf-8")
        for name in (session_keys.PRIVATE, session_keys.SECRET)
    }
    volume = f"{forum.project}_keys:/keys:ro"
    password = engine.docker(
        "run", "--rm", "-v", volume, "forum-tools", "cat", "/keys/database_password"
    )
    lines = [*secret[session_keys.PRIVATE].splitlines()[1:3], secret[session_keys.SECRET], password]
    visible = engine.docker("inspect", *forum.compose("ps", "-a", "-q").split())
    visible += forum.compose("logs", "--no-color") + forum.compose("config")
    for line in lines:
        assert len(line) > 30
        assert line not in visible


def test_only_possible_owners_of_users_hold_the_signing_key(forum: Started) -> None:
    for component in (stages.MONOLITH, *stages.DOMAINS):
        held = forum.compose("exec", "-T", component, "ls", "/secrets").split()
        assert (session_keys.PRIVATE in held) == (component in SESSION_SIGNERS)
        assert ("database_url" in held) == (component == stages.MONOLITH)


def test_stop_ends_every_container_and_keeps_the_data(forum: Started) -> None:
    session = sign_in(forum)
    before = threads(forum)
    running = forum.compose("ps", "-q").split()
    began = time.monotonic()
    forum.compose("stop")
    assert time.monotonic() - began < 40
    for container in json.loads(engine.docker("inspect", *running)):
        state = container["State"]
        # 137 is the exit code of a program that ignored SIGTERM.
        assert state["ExitCode"] in {0, 143}, f"{container['Name']}: {state['ExitCode']}"
    forum.compose("down")
    forum.compose("up", "--wait", "--no-build")
    assert threads(forum) == before, "the data stays, and the demo content comes once"
    me = {"Authorization": f"Bearer {session}"}
    assert requests.get(f"{forum.base_url}/api/users/me", headers=me, timeout=20).status_code == 200


def test_each_stage_has_its_own_data(forum: Started) -> None:
    before, session = threads(forum), sign_in(forum)
    forum.compose("down")
    alone = {"EXTRACTED": "", "DEMO": "off"}
    split = {name: forum.environment[name] for name in alone}
    forum.environment |= alone
    forum.compose("up", "--wait", "--no-build")
    assert set(names(forum)) == {"gateway", "monolith", "postgres", "setup", "migrate", "demo"}
    assert threads(forum) == []
    held = forum.compose("exec", "-T", stages.MONOLITH, "ls", "/secrets").split()
    assert session_keys.PRIVATE in held
    me = {"Authorization": f"Bearer {session}"}
    answer = requests.get(f"{forum.base_url}/api/threads", headers=me, timeout=20)
    assert answer.headers["X-Served-By"].startswith("monolith/")
    forum.compose("down")
    forum.environment |= split
    forum.compose("up", "--wait", "--no-build")
    assert threads(forum) == before


def in_mebibytes(text: str) -> float:
    """Parse a size from `docker stats`, such as 81.2MiB."""
    units = {"GiB": 1024, "MiB": 1, "KiB": 1 / 1024, "B": 1 / 1024**2}
    unit = next(unit for unit in units if text.endswith(unit))
    return float(text.removesuffix(unit)) * units[unit]


def test_unknown_domain_is_refused(tmp_path: Path) -> None:
    stack = Composed(frozenset(), tmp_path, {"EXTRACTED": "comments"})
    try:
        done = engine.run(
            *("compose", "-p", stack.project, "-f", "compose.yaml", "up", "--wait", "--no-build"),
            environment=stack.environment,
        )
        assert done.returncode != 0
        assert "'comments'" in stack.log("setup")
    finally:
        stack.stop()
