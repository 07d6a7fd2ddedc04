"""Builds of the images: each once, with a cache of downloads, and without leftovers."""

import json
import re
from collections.abc import Iterator

import pytest

from infra.runner.config import ROOT
from tests.compose import engine
from tests.compose.test_file import DOCKERFILES, read

IMAGES = {
    *("forum-gateway", "forum-monolith", "forum-users", "forum-threads", "forum-posts"),
    *("forum-dynamodb", "forum-bus", "forum-tools"),
}
MORE = {"forum-load", "forum-adminer", "forum-dynamodb-admin"}
"""Images of profiles that are chosen by name."""
ALL = ("--profile", "users", "--profile", "threads", "--profile", "posts", "--profile", "tools")


EVERY = (*ALL, "--profile", "load", "--profile", "inspect")


def images(*options: str) -> set[str]:
    """Return the ids of the engine's images."""
    return set(engine.docker("image", "ls", "--quiet", "--no-trunc", *options).split())


def tagged() -> set[str]:
    """Return the ids that the names of the forum's images have."""
    return set(engine.docker("image", "inspect", "--format", "{{.Id}}", *sorted(IMAGES)).split())


def build(revision: str) -> None:
    """Build all images as `docker compose build` does."""
    arguments = ("--build-arg", f"REVISION={revision}")
    engine.docker("compose", *ALL, "build", "--quiet", *arguments)


@pytest.fixture
def built() -> Iterator[set[str]]:
    """Build every image with a revision of its own; return the ids, removed at the end."""
    before = images()
    build("built-once")
    yield images() - before
    build("dev")
    left = images() - before - tagged()
    if left:
        engine.docker("image", "rm", "--force", *left)


def test_each_image_is_built_once(built: set[str]) -> None:
    assert len(built) == len(IMAGES)
    assert built == tagged()


@pytest.mark.usefixtures("built")
def test_second_build_leaves_no_image_without_a_name() -> None:
    before, dangling = images(), images("--filter", "dangling=true")
    build("built-once")
    assert images() == before
    assert images("--filter", "dangling=true") == dangling


def test_each_image_has_one_service_that_builds_it() -> None:
    services = read(None, *EVERY)["services"]
    builders = [one["image"] for one in services.values() if "build" in one]
    assert sorted(builders) == sorted(IMAGES | MORE)
    for name, one in services.items():
        if one["image"] in IMAGES | MORE:
            expected = "build" if "build" in one else "never"
            assert one["pull_policy"] == expected, f"{name} would look for its image elsewhere"


def test_services_that_share_an_image_follow_its_builder() -> None:
    services = read(None, *ALL)["services"]
    builders = {one["image"]: name for name, one in services.items() if "build" in one}
    for name, one in services.items():
        if one["image"] in IMAGES:
            # `mover` is in the profile of tools.
            profiles = set(services[builders[one["image"]]].get("profiles", ()))
            assert profiles <= set(one.get("profiles", ())), name


@pytest.mark.parametrize("dockerfile", DOCKERFILES)
def test_downloads_of_pip_are_cached_outside_the_image(dockerfile: str) -> None:
    text = (ROOT / dockerfile).read_text(encoding="utf-8").replace("\\\n", " ")
    installs = re.findall(r"^RUN (.*\bpip\b.*\binstall\b.*)$", text, re.MULTILINE)
    assert installs
    for install in installs:
        assert install.startswith("--mount=type=cache,target=/root/.cache/pip ")
        assert "--no-cache-dir" not in install


def test_entry_point_in_the_file_is_that_of_the_image() -> None:
    services = read(None)["services"]
    for name in ("gateway", "dynamodb", "bus"):
        inspected = engine.docker("image", "inspect", services[name]["image"])
        config = json.loads(inspected)[0]["Config"]
        said = (services[name]["entrypoint"] or [], services[name]["command"] or [])
        assert said == (config["Entrypoint"] or [], config["Cmd"] or [])
