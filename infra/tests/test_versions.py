"""All packages have the version of the latest release in the CHANGELOG."""

import re
import tomllib
from datetime import date
from typing import Any

import pytest

from infra.runner.config import ROOT

PACKAGES = ("chassis", "monolith", "services/users", "services/threads", "services/posts")
RELEASE = re.compile(r"^## (\d+\.\d+\.\d+) - (\d{4}-\d\d-\d\d)$", re.MULTILINE)


@pytest.mark.parametrize("package", PACKAGES)
def test_package_has_the_version_of_the_latest_release(package: str) -> None:
    project: dict[str, Any] = tomllib.loads((ROOT / package / "pyproject.toml").read_text())
    version, released = RELEASE.findall((ROOT / "CHANGELOG.md").read_text())[0]
    assert project["project"]["version"] == version
    assert date.fromisoformat(released)


def test_every_package_is_compared() -> None:
    found = {
        str(file.parent.relative_to(ROOT))
        for pattern in ("*/pyproject.toml", "services/*/pyproject.toml")
        for file in ROOT.glob(pattern)
    }
    assert found == set(PACKAGES)
