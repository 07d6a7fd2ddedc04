"""The images of the templates, built locally under their names on AWS."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from infra.local_cloud.target import EMULATOR_IMAGE, EngineError, docker, registry
from infra.ministack import ACCOUNT, REGION


@dataclass(frozen=True)
class Asset:
    """An image in the CDK's assembly: its build context, its name, and the stack that runs it."""

    stack: str
    name: str
    directory: Path
    dockerfile: str
    build_arguments: Mapping[str, str]

    def build(self) -> None:
        """Build the image; raise EngineError if it can't be built."""
        file = str(self.directory / self.dockerfile)
        arguments = [f"--build-arg={name}={value}" for name, value in self.build_arguments.items()]
        options = ("--quiet", "--tag", self.name, "--file", file, *arguments)
        docker("build", *options, str(self.directory))


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
            )


def build_emulator() -> None:
    """Build the emulator's own image."""
    file = ("--file", "infra/Dockerfile", "--target", "emulator")
    docker("build", "--quiet", "--tag", EMULATOR_IMAGE, *file, ".")


def exists(image: str) -> bool:
    """Return whether an image exists."""
    try:
        docker("image", "inspect", "--format", "{{.Id}}", image)
    except EngineError:
        return False
    return True


def _filled(text: str) -> str:
    for name, value in (("AccountId", ACCOUNT), ("Region", REGION)):
        text = text.replace(f"${{AWS::{name}}}", value)
    return text
