"""The profiles for developers: a bounded load, and viewers of the databases."""

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from playwright.sync_api import Page, Response, sync_playwright

from infra import stages
from infra.compose.stage_file import database_name
from infra.demo.content import read
from infra.runner.config import ROOT
from infra.runner.free_port import free_port
from infra.setup import chromium
from tests.compose import engine
from tests.compose.stack import Composed
from tests.compose.test_file import read as read_file

VIEWERS = ("adminer", "dynamodb-admin")
DATABASES = {"postgres": 5432, "dynamodb": 6669}
LOAD_SECONDS = 10
SCREENSHOTS = ROOT / "var" / "screenshots"
PROFILES = ("--profile", "load", "--profile", "inspect")

# Prints for each address of the arguments whether it accepts a connection.
CONNECT = """
import socket, sys
for address in sys.argv[1:]:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=3).close()
        print(address, "open")
    except OSError:
        print(address, "closed")
"""


class Inspected(Composed):
    """The full split with its demo content and both viewers."""

    def __init__(self, folder: Path) -> None:
        super().__init__(frozenset(stages.DOMAINS), folder)
        self.viewers = {name: free_port() for name in VIEWERS}
        self.environment |= {"DEMO": "on", "LOAD_SECONDS": str(LOAD_SECONDS)} | {
            f"{name.replace('-', '_').upper()}_PORT": str(port)
            for name, port in self.viewers.items()
        }

    def address(self, viewer: str) -> str:
        """Return a viewer's address in a browser of this machine."""
        return f"http://127.0.0.1:{self.viewers[viewer]}/"


@pytest.fixture(scope="module")
def forum(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inspected]:
    """Start the forum, then both viewers beside it."""
    engine.docker("compose", *PROFILES, "build", "--quiet", "load", *VIEWERS)
    with Inspected(tmp_path_factory.mktemp("inspected")) as stack:
        stack.compose("--profile", "inspect", "up", "--detach", "--no-build", *VIEWERS)
        for viewer in VIEWERS:
            address = stack.address(viewer)
            stack.until(lambda url=address: engine.status_of(url) == 200, f"{viewer} answers")
        yield stack


@pytest.fixture
def page() -> Iterator[Page]:
    """Provide a page of a browser; no response of a viewer may be an error."""
    errors: list[str] = []

    def note(response: Response) -> None:
        if response.status >= 400:
            errors.append(f"{response.status} {response.url}")

    with sync_playwright() as playwright:
        options = ["--no-sandbox", "--disable-gpu"]
        executable = chromium.ensure_installed()
        browser = playwright.chromium.launch(executable_path=executable, args=options)
        opened = browser.new_page(viewport={"width": 1280, "height": 800})
        opened.on("response", note)
        yield opened
        browser.close()
    assert not errors


def test_adminer_shows_the_tables_of_the_monolith(forum: Inspected, page: Page) -> None:
    password = forum.compose("exec", "-T", "postgres", "cat", "/secrets/database_password")
    page.goto(forum.address("adminer"))
    page.select_option("select[name='auth[driver]']", "pgsql")
    fields = {"server": "postgres", "username": "forum", "password": password.strip()}
    for name, value in {**fields, "db": database_name(frozenset(stages.DOMAINS))}.items():
        page.fill(f"input[name='auth[{name}]']", value)
    page.click("input[type=submit]")
    page.click("th a:text-is('threads')")
    page.wait_for_load_state()
    page.click("a:text-is('Select data')")
    page.wait_for_load_state()
    page.screenshot(path=SCREENSHOTS / "adminer.png")
    assert read().threads[0].title in page.inner_text("#content")


def test_dynamodb_admin_shows_the_items_of_services(forum: Inspected, page: Page) -> None:
    page.goto(forum.address("dynamodb-admin"))
    page.click("a:text-is('forum-threads')")
    page.wait_for_selector(f"text={read().threads[0].title}")
    page.screenshot(path=SCREENSHOTS / "dynamodb-admin.png")


def test_viewers_reach_databases_and_nothing_else(forum: Inspected) -> None:
    networks = forum.inspect("gateway")["NetworkSettings"]["Networks"].values()
    [gateway] = [network["IPAddress"] for network in networks]
    names = ["gateway:8080", "monolith:8080", "users:8080", "bus:4566", f"{gateway}:8080"]
    outside = ["1.1.1.1:443"]
    databases = [f"{name}:{port}" for name, port in DATABASES.items()]
    for viewer in VIEWERS:
        asked = ("python", "-c", CONNECT, *databases, *names, *outside)
        lines = forum.compose("exec", "-T", viewer, *asked).splitlines()
        reached = {line.split()[0] for line in lines if line.endswith("open")}
        assert len(lines) == len(databases) + len(names) + len(outside)
        assert reached == set(databases), viewer


def test_load_reads_and_writes_and_ends_by_itself(forum: Inspected) -> None:
    began = time.monotonic()
    said = forum.compose("run", "--rm", "--no-deps", "--pull", "never", "load")
    assert time.monotonic() - began >= LOAD_SECONDS
    assert f"8 connections for {LOAD_SECONDS} seconds" in said
    counted = re.search(r"^([\d,]+) requests", said, re.MULTILINE)
    assert counted, said
    assert int(counted[1].replace(",", "")) > 20
    assert "0 refused, 0 without a response" in said
    listed = requests.get(f"{forum.base_url}/api/threads", timeout=20).json()["items"]
    [thread] = [each for each in listed if each["title"] == "Load"]
    assert thread["post_count"] > 0


def test_load_refuses_more_than_its_bounds(forum: Inspected) -> None:
    for name, value, most in (("LOAD_SECONDS", "601", 600), ("LOAD_CONNECTIONS", "65", 64)):
        arguments = ("run", "--rm", "--no-deps", "--pull", "never", "-e", f"{name}={value}", "load")
        done = engine.run(
            *("compose", "-p", forum.project, *forum.files, *arguments),
            environment=forum.environment,
        )
        assert done.returncode == 1
        assert f"{name} must be a number from 1 to {most}, not '{value}'." in done.stderr


def test_profiles_are_off_unless_chosen() -> None:
    chosen = read_file(None, "--profile", "*")["services"].keys()
    assert chosen >= {"load", *VIEWERS}
    assert not {"load", *VIEWERS} & read_file(None)["services"].keys()


def test_viewers_are_published_on_loopback_only() -> None:
    services = read_file(None, "--profile", "*")["services"]
    for viewer in VIEWERS:
        (port,) = services[viewer]["ports"]
        assert port["host_ip"] == "127.0.0.1"
        assert "secrets" not in json.dumps(services[viewer].get("volumes", []))
