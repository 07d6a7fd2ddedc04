"""The environment of each program: its settings and keys, and no other variables."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from chassis import codec
from chassis.auth.tokens import Issuer, Verifier
from chassis.clock import utc_now
from chassis.errors import Unauthenticated
from chassis.messaging.subscriptions import Subscription
from infra import session_keys, stages
from infra.compose import dynamodb as compose_dynamodb
from infra.ministack import PREFIX
from infra.runner import process_specs, supervisord
from infra.runner.config import (
    BLOCKED_BY_BROWSERS,
    DATASTORE,
    ROOT,
    RunConfig,
    SettingsError,
    read_config,
    save_stage,
)
from tests.support.bus import Bus
from users.model import SessionClaims

DYNOXIDE = Path("/bin/dynoxide")
CALLER = {
    "PATH": "/bin",
    "DATABASE_URL": "postgresql://elsewhere",
    "AWS_PROFILE": "production",
    "SECRET_KEY": "of another project",
    "WEB_CONCURRENCY": "3",
}


def local(tmp_path: Path, extracted: str = "users,threads,posts") -> RunConfig:
    return read_config({"EXTRACTED": extracted, "VAR_DIR": str(tmp_path)})


def environments(given: RunConfig) -> dict[str, Mapping[str, str]]:
    return {
        program.name: program.environment for program in process_specs.all_specs(given, DYNOXIDE)
    }


def test_only_known_variables_of_the_caller_are_passed_on() -> None:
    passed = process_specs.base_environment(CALLER | {"PYTHONPATH": "/of/another/project"})
    code = passed.pop("PYTHONPATH").split(":")
    assert [folder.removeprefix(f"{ROOT}/") for folder in code] == [
        *("chassis", "monolith", "services/users", "services/threads", "services/posts")
    ]
    assert passed == {
        "PATH": "/bin",
        "WEB_CONCURRENCY": "3",
        "DRAIN_SECONDS": "0",
        "SPLIT_BADGE": "on",
        "PYTHONUNBUFFERED": "1",
        "PYTHONUTF8": "1",
        "NO_PROXY": "*",
    }


def test_monolith_alone_needs_no_datastore_and_no_worker(tmp_path: Path) -> None:
    given = local(tmp_path, "")
    assert given.servers == ("gateway", "monolith")
    assert given.workers == ()


def test_processes_of_every_stage_can_be_started_at_any_stage(tmp_path: Path) -> None:
    everything = {program.name for program in process_specs.all_specs(local(tmp_path), DYNOXIDE)}
    for extracted in ("", "users", "threads,posts"):
        given = local(tmp_path, extracted)
        assert {program.name for program in process_specs.all_specs(given, DYNOXIDE)} == everything


def test_each_component_has_a_worker_with_its_settings(tmp_path: Path) -> None:
    given = local(tmp_path, "users,posts")
    running = {program.name: program for program in process_specs.all_specs(given, DYNOXIDE)}
    workers = [name for name in running if name.endswith("-worker")]
    assert workers == ["monolith-worker", "users-worker", "threads-worker", "posts-worker"]
    assert given.workers == ("monolith-worker", "users-worker", "posts-worker")
    assert running["posts-worker"].command[1:] == ("-m", "posts", "worker")
    for name in workers:
        assert running[name].environment == running[name.removesuffix("-worker")].environment


def test_event_addresses_are_known_before_the_bus_runs(tmp_path: Path, bus: Bus) -> None:
    port = bus.environment["AWS_ENDPOINT_URL_SQS"].rpartition(":")[2]
    given = read_config({"EXTRACTED": "users", "VAR_DIR": str(tmp_path), "BUS_PORT": port})
    made = bus.provision([Subscription("users", ("x",)), Subscription("monolith", ("y",))], PREFIX)
    for component, places in made.items():
        variables = process_specs.component_environment(given, component)
        assert variables["EVENTS_TOPIC_ARN"] == places.topic_arn
        assert variables["EVENTS_QUEUE_URL"] == places.queue_url
        assert variables["EVENTS_DEAD_LETTER_QUEUE_URL"] == places.dead_letter_queue_url
        assert variables["AWS_ENDPOINT_URL"] == f"http://127.0.0.1:{port}"


@pytest.mark.parametrize(
    ("extracted", "owner", "replica_holders"),
    [
        ("", "monolith", ""),
        ("users", "users", "monolith"),
        ("threads", "monolith", "threads"),
        ("users,posts", "users", "monolith,posts"),
        ("users,threads,posts", "users", "monolith,threads,posts"),
    ],
)
def test_owner_of_users_gets_the_replica_holders(
    tmp_path: Path, extracted: str, owner: str, replica_holders: str
) -> None:
    given = local(tmp_path, extracted)
    assert process_specs.component_environment(given, owner)["REPLICA_HOLDERS"] == replica_holders
    others = set(given.components) - {owner}
    assert not [
        other
        for other in others
        if "REPLICA_HOLDERS" in process_specs.component_environment(given, other)
    ]


@pytest.mark.parametrize("restart", ["on", "off"])
def test_only_long_running_processes_are_restarted_if_enabled(tmp_path: Path, restart: str) -> None:
    given = read_config({"EXTRACTED": "users", "VAR_DIR": str(tmp_path), "RESTART": restart})
    for program in process_specs.all_specs(given, DYNOXIDE):
        text = supervisord.configuration(tmp_path, tmp_path / "socket", tmp_path, [program])
        kept = restart == "on" and program.group != "setup"
        assert f"autorestart={'true' if kept else 'false'}" in text.splitlines()


def test_components_get_the_urls_of_their_peers(tmp_path: Path) -> None:
    variables = environments(local(tmp_path, "users,posts"))
    urls = {
        name: {key: url for key, url in variables[name].items() if key in PEERS}
        for name in ("monolith", "users", "posts")
    }
    assert urls == {
        "monolith": {
            "USERS_URL": "http://127.0.0.1:8101",
            "THREADS_URL": "http://127.0.0.1:8102",
            "POSTS_URL": "http://127.0.0.1:8103",
        },
        "users": {},
        # The current owner of threads.
        "posts": {"THREADS_URL": "http://127.0.0.1:8080"},
    }
    assert variables["monolith"]["EXTRACTED"] == "users,posts"


PEERS = {"USERS_URL", "THREADS_URL", "POSTS_URL"}


def test_only_services_get_dynamodb_and_only_the_monolith_sql(
    tmp_path: Path,
) -> None:
    variables = environments(local(tmp_path))
    for service in stages.DOMAINS:
        assert variables[service]["AWS_ENDPOINT_URL_DYNAMODB"] == "http://127.0.0.1:6669"
        assert "DATABASE_URL" not in variables[service]
    file = tmp_path / "stages" / "users+threads+posts" / "forum.sqlite"
    assert variables["monolith"]["DATABASE_URL"] == f"sqlite:///{file}"
    assert "AWS_ENDPOINT_URL_DYNAMODB" not in variables["monolith"]


@pytest.mark.parametrize("extracted", ["", "users", "users,threads,posts"])
def test_signing_key_goes_only_to_possible_owners_of_users(tmp_path: Path, extracted: str) -> None:
    given = local(tmp_path, extracted)
    session_keys.ensure_keys(given.secrets_folder)
    session_keys.distribute_keys(given)
    for component in ("monolith", *stages.DOMAINS):
        folder = session_keys.component_folder(given, component)
        names = {file.name for file in folder.iterdir()}
        expected = {"secret_key", "session_public_keys"}
        signs = component in {"monolith", "users"}
        assert names == (expected | {"session_private_key"} if signs else expected)
        assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o600}


def test_stray_signing_key_of_a_component_is_deleted(tmp_path: Path) -> None:
    given = local(tmp_path, "users")
    session_keys.ensure_keys(given.secrets_folder)
    stray = session_keys.component_folder(given, "posts") / "session_private_key"
    stray.parent.mkdir(parents=True)
    stray.write_text("left by an older run")
    session_keys.distribute_keys(given)
    assert not stray.exists()


def test_keys_are_made_once(tmp_path: Path) -> None:
    session_keys.ensure_keys(tmp_path)
    before = {file.name: file.read_text() for file in tmp_path.iterdir()}
    session_keys.ensure_keys(tmp_path)
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == before
    assert (tmp_path / "session_private_key").stat().st_mode & 0o777 == 0o600
    (public,) = json.loads(before["session_public_keys"])["keys"]
    assert (public["kty"], public["alg"], public["use"]) == ("RSA", "RS256", "sig")
    assert public["kid"]
    assert "d" not in public
    assert len(before["secret_key"]) >= 32


def test_session_of_one_data_set_is_refused_by_another(tmp_path: Path) -> None:
    before, after = local(tmp_path, ""), local(tmp_path)
    for given in (before, after):
        session_keys.ensure_keys(given.secrets_folder)
    claims = codec.to_json(SessionClaims("ada", "Ada", "member", suspended=False, ver=1))
    key = (before.secrets_folder / session_keys.PRIVATE).read_text()
    token, _ = Issuer(key).issue("ada", "session", claims, utc_now())

    def verify(given: RunConfig) -> str:
        public = (given.secrets_folder / session_keys.PUBLIC).read_text()
        return Verifier(public, SessionClaims).verify(token).subject

    assert verify(before) == "ada"
    with pytest.raises(Unauthenticated):
        verify(after)


def test_keys_follow_the_data_to_another_stage(tmp_path: Path) -> None:
    before = local(tmp_path, "")
    before.folder.mkdir(parents=True)
    save_stage(replace(before, extracted=frozenset({"users"}), initial_stage=frozenset()))
    moved = local(tmp_path, "")
    assert moved.extracted == {"users"}
    assert moved.secrets_folder == before.secrets_folder


def test_all_problems_of_the_environment_are_reported_together() -> None:
    wrong = {"EXTRACTED": "x", "PORT": "y", "USERS_PORT": "65536", "RESTART": "yes", "DEMO": "no"}
    with pytest.raises(SettingsError) as caught:
        read_config(wrong)
    assert len(str(caught.value).splitlines()) == len(wrong)
    assert "DEMO must be on or off, not 'no'" in str(caught.value)


@pytest.mark.parametrize(("value", "loaded"), [("on", True), ("", True), ("off", False)])
def test_demo_content_is_a_switch(value: str, loaded: bool) -> None:
    assert read_config({"DEMO": value}).demo is loaded


def test_stage_is_read_in_any_notation(tmp_path: Path) -> None:
    assert local(tmp_path, " posts , users").folder.name == "users+posts"
    assert local(tmp_path, "").folder.name == "monolith"
    assert read_config({}).folder.name == "users+threads+posts"


def test_dynamodb_port_must_be_one_that_browsers_block() -> None:
    assert read_config({}).ports[DATASTORE] in BLOCKED_BY_BROWSERS
    assert int(compose_dynamodb.PORT) in BLOCKED_BY_BROWSERS
    assert read_config({"DYNAMODB_PORT": "6666"}).ports[DATASTORE] == 6666
    with pytest.raises(SettingsError, match="no web page can reach, not 8000: one of 5060, "):
        read_config({"DYNAMODB_PORT": "8000"})
    assert read_config({"DYNAMODB_PORT": "8000", "OPEN_PORTS": "on"}).ports[DATASTORE] == 8000
