"""Static checks of compose.yaml and the Dockerfiles, at every stage."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from extraction.deployment import compose_override
from infra import stages
from infra.runner.config import ROOT
from tests.compose import engine

ONCE = {"setup", "migrate", "provision", "demo", "load", "mover"}
ALWAYS = {"gateway", "monolith", "postgres", "setup", "migrate", "demo", "ready"}
SPLIT = {"monolith-worker", "dynamodb", "bus", "bus-recovery", "provision"}
DOCKERFILES = sorted(str(file.relative_to(ROOT)) for file in ROOT.glob("*/**/Dockerfile"))
IMAGES = ("services", "monolith", "tools", "gateway", "bus")
AARCH64 = ("--python-platform", "aarch64-manylinux_2_40", "--python-version", "3.13")


def read(extracted: str | None, *options: str) -> dict[str, Any]:
    """Return Compose's resolved configuration for a value of EXTRACTED; None leaves it unset."""
    environment = {name: value for name, value in os.environ.items() if name != "EXTRACTED"}
    if extracted is not None:
        environment["EXTRACTED"] = extracted
    done = engine.run("compose", *options, "config", "--format", "json", environment=environment)
    assert done.returncode == 0, done.stderr
    assert not done.stderr, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("extracted", stages.all_stages(), ids=stages.stage_name)
def test_stage_has_only_its_own_containers(extracted: frozenset[str]) -> None:
    services = read(stages.as_setting(extracted))["services"]
    expected = ALWAYS | extracted | {f"{name}-worker" for name in extracted}
    assert services.keys() == expected | (SPLIT if extracted else set())


def test_environment_of_a_component_is_the_same_at_every_stage() -> None:
    alone, split = read("")["services"]["monolith"], read(None)["services"]["monolith"]
    assert alone == split
    assert split["environment"]["LIVE_EXTRACTION"] == "true"


def test_services_reach_each_other_through_the_gateway() -> None:
    services = read(None)["services"]
    for name in (*stages.DOMAINS, "users-worker", "threads-worker", "posts-worker"):
        environment = services[name]["environment"]
        urls = {environment[url] for url in ("GATEWAY_URL", "THREADS_URL", "POSTS_URL")}
        assert urls == {"http://gateway:8080"}


def test_default_stage_extracts_everything() -> None:
    assert read(None)["services"].keys() == read("users,threads,posts")["services"].keys()


def test_every_reader_of_extracted_is_in_the_override() -> None:
    configured = read(None, "--profile", "*")["services"]
    readers = {
        name for name, one in configured.items() if "EXTRACTED" in one.get("environment", ())
    }
    assert readers == set(compose_override.STAGE_READERS)


@pytest.mark.parametrize("extracted", [None, "", "threads", "users,threads,posts"])
def test_override_has_precedence_over_extracted(extracted: str | None, tmp_path: Path) -> None:
    override = tmp_path / "override.yaml"
    stage, services = frozenset({"users", "threads"}), ("threads", "posts")
    override.write_text(compose_override.override_text(stage, services), encoding="utf-8")
    merged = read(extracted, "-f", "compose.yaml", "-f", str(override))["services"]
    assert merged.keys() & set(stages.DOMAINS) == set(services)
    assert merged.keys() & {"users-worker", "posts-worker"} == {"posts-worker"}
    assert merged.keys() >= SPLIT
    for name in merged.keys() & set(compose_override.STAGE_READERS):
        assert merged[name]["environment"]["EXTRACTED"] == "users,threads"


def test_missing_env_file_is_named() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "EXTRACTED"}
    done = engine.run(
        *("compose", "--env-file", os.devnull, "config", "--quiet"), environment=environment
    )
    assert done.returncode != 0
    assert "EXTRACTED is missing a value: is the file .env missing from this folder?" in done.stderr


@pytest.mark.parametrize(
    "name", sorted(read(None, "--profile", "*")["services"].keys() - {"ready"})
)
def test_container_has_minimal_rights(name: str) -> None:
    service = read(None, "--profile", "*")["services"][name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["logging"]["options"].keys() == {"max-size", "max-file"}
    assert service["restart"] == ("no" if name in ONCE else "unless-stopped")
    assert service["stop_grace_period"] == "15s"
    assert service["mem_limit"] == service["memswap_limit"] == str(512 * 2**20)
    assert (service["cpus"], service["pids_limit"]) == (1, 256)
    assert "privileged" not in service
    mounted = [each for each in service.get("volumes", ()) if each["type"] != "volume"]
    assert not mounted, "nothing of the machine is mounted"


def test_gateway_shares_no_network_with_a_datastore() -> None:
    services = read(None, "--profile", "*")["services"]
    networks = {name: one["networks"].keys() for name, one in services.items()}
    assert networks["gateway"] == {"front"}
    assert networks["bus"] == {"back"}
    for name in ("postgres", "dynamodb"):
        assert networks[name] == {"back", "inspect"}
    inspect = {name for name, joined in networks.items() if "inspect" in joined}
    assert inspect == {"postgres", "dynamodb", "adminer", "dynamodb-admin"}


def test_every_network_and_volume_is_used() -> None:
    configured = read(None, "--profile", "*")
    services = configured["services"].values()
    assert configured["networks"].keys() == {"front", "back", "inspect"}
    assert configured["networks"].keys() == {name for one in services for name in one["networks"]}
    assert configured["volumes"].keys() == {
        volume["source"] for one in services for volume in one.get("volumes", ())
    }


def test_only_programs_that_use_aws_get_its_settings() -> None:
    without = {"gateway", "setup", "demo", "postgres", "dynamodb", "bus", "ready"}
    without |= {"load", "adminer"}
    services = read(None, "--profile", "*")["services"]
    for name, one in services.items():
        has = any(variable.startswith("AWS_") for variable in one.get("environment", ()))
        assert has == (name not in without), name


def fields(node: yaml.Node) -> dict[str, yaml.Node]:
    """Return what a mapping itself says, without what it merges; the latter under `<<`."""
    assert isinstance(node, yaml.MappingNode)
    return {key.value: value for key, value in node.value}


def merged(node: yaml.Node) -> list[yaml.Node]:
    """Return the mappings that a mapping merges."""
    found = fields(node).get("<<")
    return found.value if isinstance(found, yaml.SequenceNode) else [found] if found else []


@pytest.mark.parametrize("file", ["compose.yaml", "compose.dev.yaml"])
def test_services_merge_no_other_service(file: str) -> None:
    composed = yaml.compose((ROOT / file).read_text(encoding="utf-8"), yaml.BaseLoader)
    top = fields(composed)
    shared = {name: node for name, node in top.items() if name.startswith("x-")}
    for name, node in shared.items():
        assert not isinstance(node, yaml.MappingNode) or not merged(node), f"{name} is nested"
    container = shared.get("x-container", shared.get("x-dev"))
    for name, node in fields(top["services"]).items():
        assert all(each is container for each in merged(node)), name
        for key, value in fields(node).items():
            if isinstance(value, yaml.MappingNode):
                assert all(each in shared.values() for each in merged(value)), f"{name}.{key}"


def test_every_service_says_what_it_runs() -> None:
    composed = yaml.compose((ROOT / "compose.yaml").read_text(encoding="utf-8"), yaml.BaseLoader)
    for name, node in fields(fields(composed)["services"]).items():
        said = fields(node).keys()
        assert said >= {"image", "networks"}, name
        assert said & {"command", "entrypoint"} or name == "ready", name


def test_only_the_gateway_is_published_and_only_on_loopback() -> None:
    published = {
        name: service["ports"]
        for name, service in read(None)["services"].items()
        if service.get("ports")
    }
    assert published.keys() == {"gateway"}
    (port,) = published["gateway"]
    assert (port["host_ip"], port["target"]) == ("127.0.0.1", 8080)


def test_secrets_are_mounted_read_only_where_needed() -> None:
    seen: dict[str, set[str]] = {}
    for name, service in read(None)["services"].items():
        for volume in service.get("volumes", ()):
            if volume["source"].startswith("secrets-") and name != "setup":
                seen.setdefault(volume["source"], set()).add(name)
                assert volume["read_only"] is True
            assert volume["source"] != "keys" or name == "setup"
            writes_stage = volume["source"] == "stage" and not volume.get("read_only")
            assert not writes_stage or name == "setup"
    for owner in stages.DOMAINS:
        assert seen[f"secrets-{owner}"] == {owner, f"{owner}-worker"}
    assert seen["secrets-monolith"] == {"monolith", "monolith-worker", "migrate"}
    assert seen["secrets-bus-recovery"] == {"bus-recovery"}
    assert seen["secrets-postgres"] == {"postgres"}


@pytest.mark.parametrize("dockerfile", DOCKERFILES)
def test_hadolint_finds_nothing(dockerfile: str) -> None:
    hadolint = str(Path(sys.executable).with_name("hadolint"))
    done = subprocess.run(
        [hadolint, dockerfile], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("image", IMAGES)
def test_wheels_exist_for_aarch64(image: str, tmp_path: Path) -> None:
    lock = ("--require-hashes", "-r", f"requirements/{image}.txt")
    uv = (str(Path(sys.executable).with_name("uv")), "pip", "install", "--dry-run")
    target = ("--python", sys.executable, "--target", str(tmp_path), "--only-binary", ":all:")
    done = subprocess.run(
        [*uv, *target, *AARCH64, *lock], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stderr
    count = re.search(r"Would install (\d+)", done.stderr)
    assert count, done.stderr


def test_build_context_holds_code_only() -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    assert rules[-2:] == ["**/__pycache__", "**/.*"]
    assert "**/tests" in rules
    included = [rule for rule in rules if rule.startswith("!")]
    assert not [rule for rule in included if "var" in rule or "tests" in rule or ".git" in rule]
