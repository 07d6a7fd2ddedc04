"""The table of paths, against the real Envoy at each of the eight stages."""

import json
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from infra import stages
from infra.tests.gateway.upstreams import Running, Upstream, running, serving

TABLE: list[dict[str, str]] = tomllib.loads(
    Path(__file__).with_name("paths.toml").read_text(encoding="utf-8")
)["path"]


@pytest.fixture(scope="module")
def ports() -> Iterator[dict[str, int]]:
    with ExitStack() as stack:
        names = (stages.MONOLITH, *stages.DOMAINS)
        yield {name: stack.enter_context(serving(Upstream(name))).port for name in names}


@pytest.fixture(scope="module", params=stages.all_stages(), ids=stages.stage_name)
def stage(
    request: pytest.FixtureRequest, ports: dict[str, int], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[frozenset[str], Running]]:
    with running(request.param, ports, tmp_path_factory.mktemp("gateway")) as gateway:
        yield request.param, gateway


@pytest.mark.parametrize("entry", TABLE, ids=lambda entry: entry["path"])
def test_path_reaches_its_owner(
    entry: dict[str, str], stage: tuple[frozenset[str], Running]
) -> None:
    extracted, gateway = stage
    response, body = gateway.ask(entry["path"])
    answer: dict[str, Any] = json.loads(body)
    if entry["owner"] == "gateway":
        assert response.status == 400
        assert response.headers["Content-Type"] == "application/problem+json"
        assert answer["title"] == "Bad Request"
        return
    expected = entry["owner"] if entry["owner"] in extracted else stages.MONOLITH
    assert answer["name"] == expected
    assert answer["path"] == entry.get("forwarded", entry["path"])
