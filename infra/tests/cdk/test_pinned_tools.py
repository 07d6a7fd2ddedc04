"""Exact versions of what a deployment uses besides the locked packages."""

import json
import re
from typing import Any

import pytest

from infra import stages
from infra.cdk.constructs.images import BASE
from infra.runner.config import ROOT
from infra.tests.cdk.templates import Templates, templates

CLI = re.compile(r"\bnpx (\S*cdk@\S+)")
DIGEST = f"sha256:{'5' * 64}"


def documented() -> set[str]:
    """Return the packages by which documents and programs call the CDK's command line."""
    files = [
        *ROOT.glob("*.md"),
        ROOT / "Makefile",
        *(path for folder in ("docs", "labs") for path in (ROOT / folder).rglob("*.md")),
    ]
    return {found for file in files for found in CLI.findall(file.read_text(encoding="utf-8"))}


def version(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(".")))


def test_documents_name_one_command_line_that_reads_the_templates() -> None:
    (package,) = documented()
    name, _, pinned = package.partition("@")
    assert name == "aws-cdk"
    manifest = json.loads((templates().folder / "manifest.json").read_text(encoding="utf-8"))
    needed = version(manifest["minimumCliVersion"])
    # Of the same minor version: a later one is tested with a later library.
    assert version(pinned)[:2] == needed[:2]
    assert version(pinned) >= needed


def builds(made: Templates) -> list[dict[str, Any]]:
    """Return how the images are built."""
    return [
        image["source"]
        for file in made.folder.glob("*.assets.json")
        for image in json.loads(file.read_text(encoding="utf-8"))["dockerImages"].values()
    ]


@pytest.mark.parametrize("file", ["monolith/Dockerfile", "services/Dockerfile"])
def test_every_stage_of_an_image_has_the_same_base(file: str) -> None:
    bases = re.findall(r"^FROM (\S+)", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE)
    assert set(bases) == {BASE}


def test_base_image_can_be_pinned() -> None:
    pinned = builds(templates(base_digest=DIGEST))
    # The migration has the monolith's image, in a stack of its own.
    assert len(pinned) == len(stages.COMPONENTS) + 1
    for source in pinned:
        assert source["dockerBuildContexts"] == {BASE: f"docker-image://{BASE}@{DIGEST}"}
    assert not any("dockerBuildContexts" in source for source in builds(templates()))
