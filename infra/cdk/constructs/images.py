"""The components' images, built from the repository's Dockerfiles at deployment."""

from aws_cdk import IgnoreMode
from aws_cdk import aws_ecr_assets as assets
from constructs import Construct

from infra import stages
from infra.cdk.components import build_arguments, dockerfile
from infra.cdk.options import DeploymentOptions
from infra.runner.config import ROOT

_PLATFORMS = {
    "x86_64": assets.Platform.LINUX_AMD64,
    "arm64": assets.Platform.LINUX_ARM64,
}
REVISION_LENGTH = 12
BASE = "python:3.13-slim"


class Image(Construct):
    """A component's image and its revision."""

    def __init__(
        self, scope: Construct, construct_id: str, *, options: DeploymentOptions, component: str
    ) -> None:
        super().__init__(scope, construct_id)
        self.asset = assets.DockerImageAsset(
            self,
            "Asset",
            directory=str(ROOT),
            file=dockerfile(component),
            build_args=build_arguments(component),
            build_contexts=_pinned_base(options),
            exclude=[*_context(component)],
            ignore_mode=IgnoreMode.DOCKER,
            platform=_PLATFORMS[options.architecture],
            display_name=f"{options.name}-{component}",
        )
        self.revision = options.revision or self.asset.asset_hash[:REVISION_LENGTH]


def _pinned_base(options: DeploymentOptions) -> dict[str, str] | None:
    """Return what replaces the Dockerfiles' base image; None if nothing does."""
    if not options.base_digest:
        return None
    return {BASE: f"docker-image://{BASE}@{options.base_digest}"}


def _context(component: str) -> list[str]:
    """Return the exclusions of the build context: all files that the Dockerfile does not copy.

    A change of one component then results in a new image and revision of only that component.
    """
    monolith = component == stages.MONOLITH
    package = "monolith/forum" if monolith else f"services/{component}/{component}"
    kept = (
        "chassis/chassis",
        package,
        "infra/tools/slim.py",
        f"requirements/{'monolith' if monolith else 'services'}.txt",
        dockerfile(component),
    )
    return ["*", *(f"!{path}" for path in kept), "**/__pycache__", "**/.*"]
