"""Which stage these containers are, and what it calls its own data."""

import os

from infra import stages


def extracted() -> frozenset[str]:
    """Read EXTRACTED, which compose.yaml always sets; raise UnknownDomainError."""
    return stages.parse(os.environ["EXTRACTED"])


def database_name(stage: frozenset[str]) -> str:
    """Name the stage's database on PostgreSQL."""
    return stages.folder(stage).replace("+", "_")
