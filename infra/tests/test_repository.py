"""The setup of contributors: hooks and dev container."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import yaml

from infra.runner.config import GATEWAY, PORTS, ROOT

DEV_CONTAINER = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text())
HOOKS = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())


def dry_run(*arguments: str) -> list[str]:
    """Return the commands that make would run."""
    done = subprocess.run(
        ["make", "--no-print-directory", "--dry-run", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.replace("\\\n", " ").splitlines()


def test_hooks_run_the_commands_of_make_check() -> None:
    (repository,) = HOOKS["repos"]
    assert repository["repo"] == "local"
    entries = [hook["entry"] for hook in repository["hooks"]]
    entries = [shlex.split(one)[2] if one.startswith("sh -c ") else one for one in entries]
    assert entries == dry_run("-o", ".venv/dev.stamp", "check")


def test_hooks_check_the_whole_repository_with_installed_tools() -> None:
    (repository,) = HOOKS["repos"]
    for hook in repository["hooks"]:
        assert hook["language"] == "system", hook["id"]
        assert hook["pass_filenames"] is False, hook["id"]
        [tool] = re.findall(r"\.venv/bin/(\S+)", hook["entry"])
        assert Path(sys.executable).with_name(tool).exists(), hook["id"]


def test_dev_container_forwards_the_port_of_make_run() -> None:
    assert DEV_CONTAINER["forwardPorts"] == [PORTS[GATEWAY][1]] == [8080]


def test_dev_container_has_docker() -> None:
    assert any("docker-in-docker" in feature for feature in DEV_CONTAINER["features"])


def test_dev_container_has_the_python_of_the_images() -> None:
    dockerfiles = [
        ROOT / name for name in ("monolith/Dockerfile", "services/Dockerfile", "infra/Dockerfile")
    ]
    pythons = {
        version
        for file in dockerfiles
        for version in re.findall(r"^FROM python:(\d+\.\d+)", file.read_text(), re.MULTILINE)
    }
    matched = re.search(r"/python:(\d+\.\d+)(-|$)", DEV_CONTAINER["image"])
    assert matched
    assert pythons == {matched[1]}


def test_dev_container_installs_everything_after_creation() -> None:
    program, *targets = shlex.split(DEV_CONTAINER["postCreateCommand"])
    assert program == "make"
    # A folder that does not exist: everything has to be installed.
    commands = "\n".join(dry_run("VENV=.venv-none", *targets))
    for lock in ("run", "dev", "cdk"):
        assert f"infra.setup {lock}" in commands
    for package in ("chromium-headless-shell", "wrk"):
        assert re.search(rf"apt-get install .*\b{package}\b", commands)
