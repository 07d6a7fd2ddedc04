"""The images of the templates, built locally under their names on AWS."""

import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.local_cloud.target import EMULATOR_IMAGE, EngineError, docker, registry
from infra.ministack import ACCOUNT, REGION
from infra.runner.config import ROOT


@dataclass(frozen=True)
class Asset:
    """An image in the CDK's assembly: its build context, its name, and the stack that runs it."""

    stack: str
    name: str
    directory: Path
    dockerfile: str
    build_arguments: Mapping[str, str]
    target: str = ""

    def build(self) -> None:
        """Build the image; raise EngineError if it can't be built."""
        _build(
            self.name,
            context=str(self.directory),
            dockerfile=self.dockerfile,
            args=dict(self.build_arguments),
            **({"target": self.target} if self.target else {}),
        )


def assets(assembly: Path, stacks: Iterable[str]) -> Iterator[Asset]:
    """Yield the images that the stacks of an assembly need."""
    for stack in stacks:
        manifest = assembly / f"{stack}.assets.json"
        described = json.loads(manifest.read_text(encoding="utf-8"))["dockerImages"]
        for image in described.values():
            source = image["source"]
            (destination,) = image["destinations"].values()
            tag = _filled(f"{destination['repositoryName']}:{destination['imageTag']}")
            yield Asset(
                stack,
                f"{registry()}/{tag}",
                assembly / source["directory"],
                source["dockerFile"],
                source.get("dockerBuildArgs", {}),
                source.get("dockerBuildTarget", ""),
            )


def build_emulator() -> None:
    """Build the emulator's own image."""
    _build(EMULATOR_IMAGE, context=str(ROOT), dockerfile="infra/Dockerfile", target="emulator")


def exists(image: str) -> bool:
    """Return whether an image exists."""
    try:
        docker("image", "inspect", "--format", "{{.Id}}", image)
    except EngineError:
        return False
    return True


def _build(image: str, **build: Any) -> None:
    """Build an image by Compose, which brings BuildKit; `docker build` needs a plugin for it."""
    described = {"services": {"image": {"image": image, "build": build}}}
    with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
        # Compose replaces variables.
        file.write(json.dumps(described).replace("$", "$$"))
        file.flush()
        docker("compose", "--project-name", "images", "--file", file.name, "build", "--quiet")


def _filled(text: str) -> str:
    for name, value in (("AccountId", ACCOUNT), ("Region", REGION)):
        text = text.replace(f"${{AWS::{name}}}", value)
    return text
