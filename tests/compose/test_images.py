"""The images: their sizes, what is in them, and what must not be."""

import json
from functools import cache
from typing import Any

import pytest

from tests.compose import engine

# Megabytes (10**6 bytes) above the base image.
BOUNDS = {
    "users": 90,
    "threads": 90,
    "posts": 90,
    "monolith": 95,
    "tools": 100,
    "bus": 90,
    "dynamodb": 90,
    "gateway": 130,
}
COMPONENTS = ("users", "threads", "posts", "monolith")

# Names every file in an image that looks like a key or a database.
LOOK = """
import pathlib, re
odd = re.compile(r"(private|secret|password|session)_key|[.](pem|key|sqlite|db)$|^[.]env")
for top in "app data home keys opt root secrets shares srv state tmp".split():
    for file in pathlib.Path("/", top).rglob("*"):
        if file.suffix in {".py", ".pyc"} or file.name == "cacert.pem":
            continue
        if odd.search(file.name) and file.is_file():
            print(file)
"""


@cache
def inspect(image: str) -> dict[str, Any]:
    """Return the engine's description of an image."""
    found: list[dict[str, Any]] = json.loads(engine.docker("image", "inspect", image))
    return found[0]


@pytest.mark.parametrize("name", BOUNDS)
def test_image_is_small(name: str, record_property: Any) -> None:
    above = (inspect(f"forum-{name}")["Size"] - inspect(engine.BASE)["Size"]) / 10**6
    record_property("table", ("MB above the base image", name, f"{above:.0f}"))
    assert above <= BOUNDS[name]


@pytest.mark.parametrize("name", BOUNDS)
def test_image_has_labels_and_runs_as_an_unprivileged_user(name: str) -> None:
    config = inspect(f"forum-{name}")["Config"]
    assert config["User"] == "10001:10001"
    labels = config["Labels"]
    assert labels["org.opencontainers.image.title"] == f"forum {name}"
    assert labels["org.opencontainers.image.licenses"] == "MIT"
    assert labels["org.opencontainers.image.revision"]
    if name != "tools":
        assert config["Healthcheck"]["Test"][:2] == ["CMD", "python"]


@pytest.mark.parametrize("name", COMPONENTS)
def test_image_has_no_tests_and_no_code_of_other_components(name: str) -> None:
    listed = engine.docker("run", "--rm", f"forum-{name}", "ls", "/app").split()
    assert sorted(listed) == sorted({"chassis", "forum" if name == "monolith" else name})
    tools = engine.docker("run", "--rm", f"forum-{name}", "ls", "/opt/venv/bin").split()
    assert not {"pip", "curl", "uv"}.intersection(tools)


@pytest.mark.parametrize("name", BOUNDS)
def test_no_secret_is_in_an_image(name: str) -> None:
    environment = json.dumps(inspect(f"forum-{name}")["Config"]["Env"])
    assert "SECRET" not in environment
    assert "PASSWORD" not in environment
    listed = ("run", "--rm", "--entrypoint", "python", f"forum-{name}", "-c", LOOK)
    assert engine.docker(*listed).split() == []
