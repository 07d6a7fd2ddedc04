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
    shares = secrets_setup.component_secrets(extracted, MADE)
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
    replica_holders = secrets_setup.component_secrets(extracted, MADE)["users"]["replica_holders"]
    assert set(replica_holders.split(",")) == {stages.MONOLITH, *extracted} - {"users"}


def test_keys_belong_to_the_data_of_one_stage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    share = tmp_path / "shares" / stages.MONOLITH
    share.mkdir(parents=True)
    monkeypatch.setattr(secrets_setup, "KEYS", tmp_path / "keys")
    monkeypatch.setattr(secrets_setup, "SHARES", tmp_path / "shares")

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
    shares = secrets_setup.component_secrets(frozenset({"users", "posts"}), MADE)
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


@pytest.mark.parametrize(
    ("began", "moved", "said"),
    [
        (None, False, ""),
        (None, True, ""),
        ("", True, ""),
        ("", False, "whose data was deleted"),
        ("posts", True, "started with EXTRACTED=posts, not this one"),
    ],
)
@pytest.mark.usefixtures("started_as_monolith")
def test_setup_refuses_the_services_of_another_forum(
    tmp_path: Path, began: str | None, moved: bool, said: str
) -> None:
    if moved:
        stage_file.save_stage(CurrentStage(frozenset({"users"})), tmp_path)
    problem = secrets_setup.stale_override_problem(began, tmp_path)
    assert said in problem
    assert bool(said) == bool(problem)


def test_setup_refuses_a_former_name_in_the_override_file(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EXTRACTED", "")
    monkeypatch.setenv("FORUM_BEGAN_AS", "")
    assert secrets_setup.main() == 1
    assert "FORUM_BEGAN_AS was renamed to INITIAL_STAGE" in capsys.readouterr().err


def test_forum_without_moves_needs_no_override() -> None:
    for extracted in stages.all_stages():
        assert compose_override.override_text(extracted, extracted) == ""


def test_override_enables_new_and_disables_returned_services() -> None:
    text = compose_override.override_text(
        frozenset({"users", "threads"}), frozenset({"threads", "posts"})
    )
    assert 'INITIAL_STAGE: "users,threads"' in text
    for name in ("threads", "posts-worker", "dynamodb", "bus-recovery", "monolith-worker"):
        assert f"  {name}: {{ profiles: !reset [] }}\n" in text
    for name in ("users", "users-worker"):
        assert f"  {name}: {{ profiles: !override [returned] }}\n" in text


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
