"""The lock files pin everything that is declared, with hashes, and say nothing of where from."""

import json
import re
import tomllib
from pathlib import Path

import pytest

from infra.setup.validators import LOCKED
from infra.tools.lock import COMPONENTS, EVERYTHING, FOLDER, ROOT

LOCKS = sorted(FOLDER.glob("*.txt"), key=lambda file: file.name)
GROUPS = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
EXPECTED = {
    **{name: (folders, ()) for name, folders in COMPONENTS.items()},
    "run": (EVERYTHING, ("run", "tools", "gateway", "bus")),
    "dev": (EVERYTHING, ("run", "tools", "dev", "cdk", "emulator")),
    "gateway": ((), ("gateway",)),
    "bus": ((), ("bus",)),
    "cdk": ((), ("cdk", "node")),
    "cloud-tools": ((), ("cloud-tools",)),
    "emulator": ((), ("emulator", "bus")),
    "compose-dev": (EVERYTHING, ("compose-dev",)),
    "mutants": ((), ("mutants",)),
    "node": ((), ("node",)),
    "preview": ((), ("preview",)),
    "tools": (COMPONENTS["monolith"], ("tools",)),
}


PIN = re.compile(r"^([a-z0-9-]+)(?:\[[\w,]+\])?==([^\s;]+)", re.M)


def pins(lock: Path) -> dict[str, str]:
    return dict(PIN.findall(lock.read_text()))


def name_of(requirement: str) -> str:
    matched = re.match(r"[\w.-]+", requirement)
    assert matched
    return re.sub(r"[-_.]+", "-", matched[0]).lower()


def test_every_environment_has_a_lock() -> None:
    assert {lock.stem for lock in LOCKS} == EXPECTED.keys()


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_lock_contains_no_local_path(lock: Path) -> None:
    assert not re.search(r"://|^\s*-(?!-hash=)|/", re.sub(r"^#.*", "", lock.read_text()), re.M)


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_every_pin_has_a_hash(lock: Path) -> None:
    joined = lock.read_text().replace("\\\n", " ")
    lines = [line for line in joined.splitlines() if line and not line.startswith("#")]
    assert all("--hash=sha256:" in line for line in lines)
    # A package may have a pin for each of two versions of Python.
    assert len(lines) == len(PIN.findall(lock.read_text()))


@pytest.mark.parametrize("name", EXPECTED)
def test_declared_dependencies_are_pinned(name: str) -> None:
    folders, groups = EXPECTED[name]
    declared = [line for group in groups for line in GROUPS[group] if isinstance(line, str)]
    for folder in folders:
        project = tomllib.loads((ROOT / folder / "pyproject.toml").read_text())["project"]
        declared += project["dependencies"]
    pinned = pins(FOLDER / f"{name}.txt")
    wanted = {name_of(line) for line in declared if not line.startswith("forum-")}
    assert wanted <= pinned.keys(), "run `make lock`"


def test_locks_agree_on_every_version() -> None:
    everything = pins(FOLDER / "dev.txt")
    for lock in LOCKS:
        # The first are in no environment of Python; the second have one of their own.
        if lock.stem not in {"node", "cloud-tools"}:
            pinned = pins(lock)
            # These have packages of their own, beside `dev.txt` or in a development container.
            apart = lock.stem in {"compose-dev", "mutants", "preview"}
            names = pinned.keys() & everything.keys() if apart else pinned.keys()
            assert all(everything.get(name) == pinned[name] for name in names)


def test_validators_are_pinned_with_hashes_and_without_addresses() -> None:
    declared = json.loads((LOCKED / "package.json").read_text())["dependencies"]
    locked = json.loads((LOCKED / "package-lock.json").read_text())["packages"]
    root = locked.pop("")
    assert root["dependencies"] == declared
    for name, version in declared.items():
        assert locked[f"node_modules/{name}"]["version"] == version
    for package in locked.values():
        assert package["integrity"].startswith("sha512-")
        assert "resolved" not in package
