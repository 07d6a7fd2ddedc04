"""The components' images, built from the repository's Dockerfiles at deployment."""

from aws_cdk import IgnoreMode
from aws_cdk import aws_ecr_assets as assets
from constructs import Construct

from infra import stages
from infra.cdk.components import TOOLS, build_arguments, dockerfile
from infra.cdk.options import DeploymentOptions
from infra.runner.config import ROOT

_PLATFORMS = {
    "x86_64": assets.Platform.LINUX_AMD64,
    "arm64": assets.Platform.LINUX_ARM64,
}
REVISION_LENGTH = 12
BASE = "python:3.13-slim"
_PACKAGES = {
    stages.MONOLITH: "monolith/forum",
    **{domain: f"services/{domain}/{domain}" for domain in stages.DOMAINS},
}
_PROGRAMS = (*_PACKAGES.values(), "extraction", "infra", "recovery")


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
            target=TOOLS if component == TOOLS else None,
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
    if component == TOOLS:
        kept: tuple[str, ...] = (*_PROGRAMS, "requirements/tools.txt")
    elif component == stages.MONOLITH:
        kept = (_PACKAGES[component], "infra/tools/slim.py", "requirements/monolith.txt")
    else:
        kept = (_PACKAGES[component], "infra/tools/slim.py", "requirements/services.txt")
    kept += ("chassis/chassis", dockerfile(component))
    return ["*", *(f"!{path}" for path in kept), "**/__pycache__", "**/.*"]
