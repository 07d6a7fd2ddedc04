"""Variables of a shell that belong to other projects lead no client of a local command away."""

import os
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from infra import local_environment
from infra.local_environment import caller_environment, isolate
from infra.tests.environments.trap import VARIABLES, Server, foreign_variables, serve

# Alone, these change nothing in these calls: the forum's own endpoint and region replace theirs,
# its addresses begin with http, and exceptions from a proxy need a proxy.
UNSEEN_ALONE = {
    *("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS", "AWS_REGION", "AWS_SECRET_ACCESS_KEY"),
    *("AWS_DEFAULT_PROFILE", "HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy"),
}
CALLS = (("dynamodb", "list_tables"), ("sqs", "list_queues"), ("sns", "list_topics"))


@pytest.fixture(scope="module")
def here() -> Iterator[Server]:
    with serve(200) as server:
        yield server


@pytest.fixture(scope="module")
def trap() -> Iterator[Server]:
    with serve(400) as server:
        yield server


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, here: Server, trap: Server) -> dict[str, str]:
    """Give each test an environment of its own, that of a shell without such variables."""
    own = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    monkeypatch.setattr(os, "environ", own)
    monkeypatch.setattr(local_environment, "_removed", {})
    here.received.clear()
    trap.received.clear()
    return own


def reaches(here: Server, trap: Server) -> bool:
    """Call what local commands call; return whether all calls arrive, as our own."""
    os.environ["AWS_ENDPOINT_URL"] = here.url  # as a local forum sets it, after isolation
    own = {name: value for name, value in local_environment.AWS.items() if "URL" not in name}
    for name, value in own.items():
        os.environ.setdefault(name, value)
    once = Config(connect_timeout=2, read_timeout=2)
    try:
        for service, operation in CALLS:
            client: Any = boto3.Session().client(service, config=once)  # type: ignore[call-overload]
            # sns expects XML: that the request arrived is enough.
            client.meta.events.register("before-parse.sns", _as_xml)
            getattr(client, operation)()
        requests.get(here.url, timeout=2).raise_for_status()
        urllib.request.urlopen(here.url, timeout=2).close()
    except (BotoCoreError, ClientError, ValueError, OSError):
        return False
    signed = [one["Authorization"] for one in here.received if "Authorization" in one]
    ours = [one for one in signed if "Credential=local/" in one and "/eu-central-1/" in one]
    tokens = [one for one in here.received if "X-Amz-Security-Token" in one]
    return len(here.received) == 5 and len(ours) == len(CALLS) and not trap.received + tokens


def _as_xml(response_dict: dict[str, Any], **_: Any) -> None:
    response_dict["body"] = b"<ListTopicsResponse><ListTopicsResult/></ListTopicsResponse>"


def test_clients_reach_the_forum_in_a_plain_shell(here: Server, trap: Server) -> None:
    isolate()
    assert reaches(here, trap)


@pytest.mark.parametrize("name", VARIABLES)
def test_foreign_variable_leads_no_client_away(
    name: str, here: Server, trap: Server, tmp_path: Path
) -> None:
    os.environ[name] = foreign_variables(trap.url, tmp_path)[name]
    isolate()
    assert reaches(here, trap)


@pytest.mark.parametrize("name", [name for name in VARIABLES if name not in UNSEEN_ALONE])
def test_foreign_variable_misleads_without_isolation(
    name: str, here: Server, trap: Server, tmp_path: Path
) -> None:
    """Prove that the test above sees this variable."""
    foreign = foreign_variables(trap.url, tmp_path)
    os.environ[name] = foreign[name]
    os.environ.setdefault("AWS_MAX_ATTEMPTS", "1")
    if name == "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS":
        os.environ["HTTPS_PROXY"] = trap.url  # not to AWS itself
    if name in {"AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"}:
        # They decide only what no variable does.
        for own in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
            os.environ[own] = ""
    assert not reaches(here, trap)


def test_client_without_an_endpoint_reaches_nobody(trap: Server) -> None:
    os.environ["AWS_ENDPOINT_URL_SQS"] = trap.url
    isolate()
    once = Config(connect_timeout=2, retries={"total_max_attempts": 1})
    with pytest.raises(BotoCoreError, match=local_environment.NOBODY):
        boto3.Session().client("sqs", config=once).list_queues()
    assert not trap.received


def test_downloads_use_the_variables_of_the_caller(trap: Server, tmp_path: Path) -> None:
    os.environ.update(foreign_variables(trap.url, tmp_path))
    os.environ.pop("AWS_EC2_METADATA_DISABLED", None)
    before = dict(os.environ)
    isolate()
    isolate()
    assert "HTTPS_PROXY" not in os.environ
    assert caller_environment() == before
