"""Unit tests of the containers' programs; tests/compose runs them in containers."""

import os
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import pytest

from extraction.deployment import compose_override
from extraction.deployment.compose_host import ComposeHost
from extraction.deployment.compose_project import OVERRIDE, ComposeProject
from extraction.deployment.port import DeploymentError
from infra import session_keys, stages
from infra.compose import secrets_setup, stage_file
from infra.current_stage import CurrentStage
from infra.domains import SESSION_SIGNERS
from infra.runner.config import BUS_RECOVERY

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
MADE = {
    session_keys.SECRET: "s",
    session_keys.PUBLIC: "p",
    session_keys.PRIVATE: "r",
    secrets_setup.PASSWORD: "pw",
}
URL = "postgresql+psycopg://forum:pw@postgres:5432/"


@pytest.mark.parametrize("extracted", stages.all_stages(), ids=stages.stage_name)
def test_only_possible_owners_of_users_get_the_signing_key(
    extracted: frozenset[str],
) -> None:
    shares = secrets_setup.component_secrets(extracted, MADE, extracted)
    components = {stages.MONOLITH, *stages.DOMAINS}
    assert {name for name, share in shares.items() if session_keys.PRIVATE in share} == set(
        SESSION_SIGNERS
    )
    for name in components:
        assert (shares[name][session_keys.SECRET], shares[name][session_keys.PUBLIC]) == ("s", "p")
        assert secrets_setup.PASSWORD not in shares[name]
    assert shares.keys() == components | {BUS_RECOVERY, secrets_setup.POSTGRES}


@pytest.mark.parametrize("extracted", stages.all_stages(), ids=stages.stage_name)
def test_users_service_has_the_replica_holders_of_its_stage(
    extracted: frozenset[str],
) -> None:
    shares = secrets_setup.component_secrets(frozenset(), MADE, extracted)
    replica_holders = shares["users"]["replica_holders"]
    assert set(replica_holders.split(",")) == {stages.MONOLITH, *extracted} - {"users"}


def test_keys_belong_to_the_data_of_one_stage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    share = tmp_path / "shares" / stages.MONOLITH
    share.mkdir(parents=True)
    monkeypatch.setattr(secrets_setup, "KEYS", tmp_path / "keys")
    monkeypatch.setattr(secrets_setup, "SHARES", tmp_path / "shares")
    monkeypatch.setattr(secrets_setup, "FOLDER", tmp_path)

    def start(extracted: str) -> dict[str, str]:
        monkeypatch.setenv("EXTRACTED", extracted)
        assert secrets_setup.main() == 0
        return {file.name: file.read_text() for file in share.iterdir()}

    before, after, again = start(""), start("users"), start("")
    assert again == before
    for name in (session_keys.SECRET, session_keys.PUBLIC, session_keys.PRIVATE):
        assert after[name] != before[name]


def test_each_stage_has_its_own_database() -> None:
    names = {stage_file.database_name(extracted) for extracted in stages.all_stages()}
    assert len(names) == 8
    stage = frozenset({"users", "posts"})
    shares = secrets_setup.component_secrets(stage, MADE, stage)
    assert shares[stages.MONOLITH]["database_url"] == URL + "users_posts"
    assert shares[BUS_RECOVERY] == {"database_url": URL + "users_posts"}


@pytest.fixture
def started_as_monolith(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXTRACTED", "")


@pytest.mark.usefixtures("started_as_monolith")
def test_stage_of_a_moved_forum_is_saved(tmp_path: Path) -> None:
    assert stage_file.current_stage(tmp_path) == CurrentStage(frozenset())
    assert not stage_file.has_moved_domains(tmp_path)
    moved = CurrentStage(frozenset({"posts"}), frozenset({"users"}))
    stage_file.save_stage(moved, tmp_path)
    assert stage_file.current_stage(tmp_path) == moved
    assert moved.services == ("users", "posts")
    assert stage_file.has_moved_domains(tmp_path)


def test_saved_stage_applies_to_its_own_forum_only(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("EXTRACTED", "users")
    stage_file.save_stage(CurrentStage(frozenset()), tmp_path)
    monkeypatch.setenv("EXTRACTED", "users,posts")
    assert stage_file.current_stage(tmp_path).extracted == {"users", "posts"}
    assert not stage_file.has_moved_domains(tmp_path)


@pytest.fixture
def setup_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Provide the folder of stage files of a `setup` that has no share to fill but one."""
    (tmp_path / "shares" / stages.MONOLITH).mkdir(parents=True)
    for name, folder in (("KEYS", "keys"), ("SHARES", "shares"), ("FOLDER", "")):
        monkeypatch.setattr(secrets_setup, name, tmp_path / folder)
    return tmp_path


def test_new_forum_after_a_move_starts_with_the_current_services(
    setup_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXTRACTED", "users,threads,posts")
    monkeypatch.setenv("CURRENT_SERVICES", "threads,posts")
    assert secrets_setup.main() == 0
    assert stage_file.current_stage(setup_folder) == CurrentStage(frozenset({"threads", "posts"}))
    share = setup_folder / "shares" / stages.MONOLITH
    assert (share / "extracted").read_text() == "threads,posts"


def test_setup_leaves_the_stage_of_a_moved_forum_unchanged(
    setup_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXTRACTED", "")
    # Its move was interrupted: the service runs, but owns nothing yet.
    monkeypatch.setenv("CURRENT_SERVICES", "users")
    moving = CurrentStage(frozenset(), frozenset({"users"}))
    stage_file.save_stage(moving, setup_folder)
    assert secrets_setup.main() == 0
    assert stage_file.current_stage(setup_folder) == moving
    assert (setup_folder / "shares" / stages.MONOLITH / "extracted").read_text() == ""


@pytest.mark.parametrize("name", ["INITIAL_STAGE", "FORUM_BEGAN_AS"])
def test_setup_refuses_the_override_file_of_an_earlier_revision(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EXTRACTED", "")
    monkeypatch.setenv(name, "posts")
    assert secrets_setup.main() == 1
    said = capsys.readouterr().err
    assert said.startswith("An earlier revision wrote compose.override.yaml. Delete the file")
    assert "EXTRACTED=posts" in said


def test_forum_without_moves_needs_no_override() -> None:
    for extracted in stages.all_stages():
        assert compose_override.override_text(extracted, extracted) == ""


def test_override_enables_new_and_disables_returned_services() -> None:
    text = compose_override.override_text(
        frozenset({"users", "threads"}), frozenset({"threads", "posts"})
    )
    assert 'EXTRACTED: "users,threads", CURRENT_SERVICES: "threads,posts"' in text
    for name in ("threads", "posts-worker", "bus", "monolith-worker"):
        assert f"  {name}: {{ profiles: !reset [] }}\n" in text
    for name in ("users", "users-worker"):
        assert f"  {name}: {{ profiles: !override [returned] }}\n" in text
    started = '{ environment: { EXTRACTED: "users,threads" }, profiles: !reset [] }'
    for name in ("dynamodb", "bus-recovery", "provision"):
        assert f"  {name}: {started}\n" in text


def project(folder: Path, *files: str) -> ComposeProject:
    names = files or ("compose.yaml",)
    return ComposeProject(
        "forum", folder, tuple(str(folder / name) for name in names), (), frozenset()
    )


def test_override_exists_while_any_service_is_extracted(tmp_path: Path) -> None:
    file = tmp_path / OVERRIDE
    assert compose_override.write_override(project(tmp_path), ("posts",)) == ""
    assert "posts-worker" in file.read_text(encoding="utf-8")
    assert compose_override.write_override(project(tmp_path), ()) == ""
    assert not file.exists()


def test_override_file_of_the_user_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / OVERRIDE
    file.write_text("services: {}\n", encoding="utf-8")
    assert "posts-worker" in compose_override.write_override(project(tmp_path), ("posts",))
    assert compose_override.write_override(project(tmp_path), ()) == ""
    assert file.read_text(encoding="utf-8") == "services: {}\n"


def test_unread_override_names_the_options_instead(tmp_path: Path) -> None:
    started = project(tmp_path, "compose.yaml", "more.yaml")
    assert compose_override.write_override(started, ("posts",)).endswith("needs: --profile posts")
    assert not (tmp_path / OVERRIDE).exists()


@pytest.fixture
def streams() -> Iterator[tuple[ComposeHost, BinaryIO, BinaryIO]]:
    """Provide the client in a container, and the agent's ends of its streams."""
    (requests, request_pipe), (response_pipe, responses) = os.pipe(), os.pipe()
    with os.fdopen(requests, "rb") as read, os.fdopen(responses, "wb", buffering=0) as written:
        # As in a container, also where a shell in the background has these tests ignore it.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        yield ComposeHost(request_pipe, response_pipe), read, written
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    time.sleep(0.1)
    signal.signal(signal.SIGINT, before)


def test_container_sends_requests_to_the_host_and_waits(
    streams: tuple[ComposeHost, BinaryIO, BinaryIO],
) -> None:
    host, requests, responses = streams
    responses.write(b"{}\n{}\n")
    host.up("bus", "posts")
    host.services(("posts",))
    assert requests.readline() == b'{"up": ["bus", "posts"]}\n'
    assert requests.readline() == b'{"services": ["posts"]}\n'


def test_error_of_the_host_stops_the_move(
    streams: tuple[ComposeHost, BinaryIO, BinaryIO],
) -> None:
    host, _, responses = streams
    responses.write(b'{"error": "no room left"}\n')
    with pytest.raises(DeploymentError, match="no room left"):
        host.down("posts")


def test_mover_stops_when_the_host_disconnects(
    streams: tuple[ComposeHost, BinaryIO, BinaryIO],
) -> None:
    _, _, responses = streams
    with pytest.raises(KeyboardInterrupt):  # noqa: PT012 - it comes at any moment
        responses.close()
        time.sleep(5)
