"""Development in containers: a change of a file counts at once, and a debugger attaches."""

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from infra.runner.config import ROOT
from infra.runner.free_port import free_port
from tests.compose import engine
from tests.compose.debug_client import DebugClient
from tests.compose.stack import Composed
from tests.compose.test_file import read
from tests.compose.test_running import crowd

OVERLAY = ("-f", "compose.yaml", "-f", "compose.dev.yaml")
COPIED = ("chassis", "monolith", "services", "infra", "requirements")
RELOAD_SECONDS = 15
"""Longer if the machine is overloaded."""
CHANGED = "Changed while it runs."
SERVICE = "services/users/users/service.py"
NOT_FOUND = "User not found."
UNKNOWN = "/api/users/nobody"


class Checkout(Composed):
    """The forum with users as a service, from a copy of the repository that tests change."""

    def __init__(self, folder: Path, var: Path) -> None:
        files = (*OVERLAY, "-f", "tests/compose/published.yaml")
        named = [str(ROOT / file) if file != "-f" else file for file in files]
        self.folder = folder
        super().__init__(
            frozenset({"users"}), var, files=("--project-directory", str(folder), *named)
        )
        self.debuggers = {name: free_port() for name in ("monolith", "users")}
        self.environment |= {
            f"{name.upper()}_DEBUG_PORT": str(port) for name, port in self.debuggers.items()
        }

    def get(self, path: str) -> str:
        """Return the body of a response, whatever its status."""
        return requests.get(self.base_url + path, timeout=60).text

    def change(self, file: str, old: str, new: str) -> None:
        """Replace a text in a file of the copy."""
        path = self.folder / file
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")

    def until_body_has(self, path: str, text: str) -> None:
        """Wait for a text in a response."""
        self.soon(lambda: text in self.get(path), f"{path} has {text!r}")

    def soon(self, done: Callable[[], bool], what: str) -> None:
        """Wait for a reload."""
        self.until(done, what, RELOAD_SECONDS * max(1.0, crowd()))


@pytest.fixture(scope="module")
def forum(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """Start the forum from a copy; only the image of compose.dev.yaml is built."""
    engine.docker("compose", *OVERLAY, "build", "--quiet", "monolith")
    folder = tmp_path_factory.mktemp("checkout")
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", ".env", *COPIED],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in listed.stdout.splitlines():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).exists():
            shutil.copy(ROOT / name, folder / name)
    with Checkout(folder, tmp_path_factory.mktemp("var")) as checkout:
        yield checkout


@pytest.fixture
def restored(forum: Checkout) -> Iterator[Checkout]:
    """Put changed files back, and wait until they count."""
    yield forum
    shutil.copy(ROOT / SERVICE, forum.folder / SERVICE)
    forum.until_body_has(UNKNOWN, NOT_FOUND)


def started_at(forum: Checkout, part: str) -> str:
    """Return when a container was started."""
    return str(forum.inspect(part)["State"]["StartedAt"])


def test_changed_python_file_counts_within_seconds(restored: Checkout) -> None:
    before = started_at(restored, "users")
    assert NOT_FOUND in restored.get(UNKNOWN)
    restored.change(SERVICE, NOT_FOUND, CHANGED)
    restored.until_body_has(UNKNOWN, CHANGED)
    assert started_at(restored, "users") == before


def test_changed_template_counts_within_seconds(forum: Checkout) -> None:
    assert CHANGED not in forum.get("/")
    forum.change("monolith/forum/web/templates/base.html", "<title>", f"<title>{CHANGED} ")
    forum.until_body_has("/", CHANGED)


def test_changed_style_sheet_has_another_address(forum: Checkout) -> None:
    def address() -> str:
        found = re.search(r'href="([^"]+/style.css)"', forum.get("/"))
        return found[1] if found else ""

    before = address()
    assert before
    file = forum.folder / "monolith/forum/web/static/style.css"
    file.write_text(file.read_text(encoding="utf-8") + "\nmain { color: green; }\n")
    forum.soon(
        lambda: address() not in {"", before},
        "pages name the new style sheet",
    )


@pytest.mark.parametrize("mistake", ["def (", "raise RuntimeError(0)"], ids=["syntax", "import"])
def test_broken_file_shows_its_error_until_mended(restored: Checkout, mistake: str) -> None:
    before = started_at(restored, "users")
    path = restored.folder / SERVICE
    path.write_text(f"{path.read_text(encoding='utf-8')}\n{mistake}\n", encoding="utf-8")
    restored.until_body_has(UNKNOWN, mistake)
    shutil.copy(ROOT / SERVICE, path)
    restored.until_body_has(UNKNOWN, NOT_FOUND)
    assert started_at(restored, "users") == before


def test_worker_starts_anew_with_a_changed_file(restored: Checkout) -> None:
    def starts() -> int:
        return restored.log("users-worker").count("the worker has started")

    first, before = starts(), started_at(restored, "users-worker")
    assert first
    restored.change(SERVICE, NOT_FOUND, CHANGED)
    restored.soon(lambda: starts() > first, "the worker starts anew")
    restored.until_body_has(UNKNOWN, CHANGED)
    assert started_at(restored, "users-worker") == before


def test_debugger_stops_at_a_breakpoint_and_goes_on(forum: Checkout) -> None:
    before, _, _ = (ROOT / SERVICE).read_text(encoding="utf-8").rpartition("raise NotFound(NO_SUCH")
    line = before.count("\n") + 1
    with DebugClient(forum.debuggers["users"]) as client, ThreadPoolExecutor() as pool:
        client.stop_at("/app/users/service.py", line)
        answer = pool.submit(forum.get, UNKNOWN)
        stopped = client.wait_for("stopped")
        assert stopped["reason"] == "breakpoint"
        trace = client.request("stackTrace", {"threadId": stopped["threadId"]})
        assert trace["stackFrames"][0]["line"] == line
        assert not answer.done()
        client.request("continue", {"threadId": stopped["threadId"]})
        assert NOT_FOUND in answer.result(timeout=30)


def test_overlay_keeps_the_rights_of_every_container() -> None:
    plain, overlaid = read(None)["services"], read(None, *OVERLAY)["services"]
    assert plain.keys() == overlaid.keys()
    allowed = {"build", "command", "image", "ports", "pull_policy", "volumes"}
    for name, service in overlaid.items():
        changed = {
            key
            for key in plain[name].keys() | service.keys()
            if plain[name].get(key) != service.get(key)
        }
        assert changed <= allowed, name
        for volume in service.get("volumes", ()):
            assert volume["type"] == "volume" or volume["read_only"], name
        for port in service.get("ports", ()):
            assert port["host_ip"] == "127.0.0.1", name


def test_overlay_builds_its_image_once() -> None:
    services = read(None, *OVERLAY)["services"].values()
    builders = [one for one in services if one["image"] == "forum-dev" and "build" in one]
    assert [one["build"]["target"] for one in builders] == ["dev"]
    assert sum(one["image"] == "forum-dev" for one in services) == 9
