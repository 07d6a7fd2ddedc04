"""Verification: dry run, a damaged copy, and its repair."""

import boto3
import pytest
from botocore.config import Config

from infra.runner import process_specs
from infra.runner.config import with_current_stage
from tests.extraction.forum import MovingForum
from tests.support.waits import wait_until


@pytest.fixture(scope="module")
def written(forum: MovingForum) -> MovingForum:
    """Write content to move."""
    for member in forum.crowd.members[:4]:
        for _ in range(5):
            member.reply()
    return forum


def test_dry_run_reads_everything_and_changes_nothing(written: MovingForum) -> None:
    code, output = written.run("extract", "posts", "--dry-run")
    assert code == 0, output
    [(count, versions)] = written.stack.query("SELECT count(*), sum(version) FROM posts")
    assert f"would compare {count} posts (sum of versions: {versions}," in output
    assert "Nothing was changed." in output
    assert written.stack.query("SELECT count(*) FROM domains") == [(0,)]
    assert written.stack.pid("posts") == 0


def test_dry_run_of_the_opposite_direction_cancels_nothing(written: MovingForum) -> None:
    assert written.run("extract", "posts", "--phase", "prepare")[0] == 0
    code, output = written.run("reintegrate", "posts", "--dry-run")
    assert code == 0, output
    assert "Nothing was changed." in output
    assert "extract: backfill, " in written.run("status")[1]
    assert written.run("reintegrate", "posts")[0] == 0


def test_damaged_row_is_named_and_stops_the_move_until_repaired(
    written: MovingForum,
) -> None:
    for phase in ("prepare", "backfill", "catch-up"):
        code, output = written.run("extract", "posts", "--phase", phase)
        assert code == 0, output
    one = written.crowd.members[0].own[0]
    thread = written.ledger.posts[one].thread_id
    _damage(written, thread, one)

    code, output = written.run("extract", "posts")
    assert code == 1, output
    assert "1 post differs:" in output
    assert f"{one}: body" in output
    assert "The owner did not change." in output
    assert written.stack.query("SELECT owner, state FROM domains") == [("monolith", "moving")]

    code, output = written.run("status")
    assert "posts    owned by monolith, served by monolith; extract: verify, " in output

    code, output = written.run("extract", "posts", "--repair", "--soak", "1")
    assert code == 0, output
    assert "Replaced the copies with the owner's records." in output
    assert written.stack.config.extracted == {"posts"}
    written.prove()


@pytest.mark.parametrize("command", ["cancel", "reintegrate"])
def test_move_is_cancelled(written: MovingForum, command: str) -> None:
    code, output = written.run("extract", "threads", "--phase", "prepare")
    assert code == 0, output
    code, output = written.run(command, "threads")
    assert code == 0, output
    assert "The extraction of threads is cancelled." in output
    assert with_current_stage(written.stack.config).moving == frozenset()
    assert written.stack.pid("threads") == 0
    written.crowd.members[0].open_thread()
    written.prove()


def test_impossible_commands_are_refused_in_one_line(written: MovingForum) -> None:
    code, output = written.run("extract", "posts")
    assert (code, "posts is already owned by its service." in output) == (0, True)
    code, output = written.run("reintegrate", "users")
    assert (code, "users is already owned by the monolith." in output) == (0, True)
    for domain, owner in (("posts", "its service"), ("users", "the monolith")):
        code, output = written.run("cancel", domain)
        assert (code, f"{domain} is owned by {owner}." in output) == (0, True)
    code, output = written.run("extract", "users", "--phase", "cutover")
    assert (code, "comes later" in output) == (1, True)


def test_mover_killed_while_stopping_the_service_can_be_resumed(written: MovingForum) -> None:
    process = written.command("reintegrate", "posts", "--soak", "1")
    # Stopping the last service also stops its worker, and then the datastores.
    wait_until(lambda: written.stack.pid("monolith-worker") == 0 or process.poll() is not None, 120)
    process.kill()
    output = process.communicate()[0]
    [(owner, state)] = written.stack.query(
        "SELECT owner, state FROM domains WHERE domain = 'posts'"
    )
    assert (owner, state) == ("monolith", "moving"), output

    written.crowd.members[0].reply()
    code, output = written.run("reintegrate", "posts")
    assert code == 0, output
    assert "The reintegration is finished." in output
    assert written.stack.pid("dynamodb") == written.stack.pid("bus") == 0
    written.prove()


def test_move_begins_again_after_the_mover_died_while_it_started_the_datastores(
    written: MovingForum,
) -> None:
    written.stack.start_process("dynamodb")
    assert written.stack.pid("bus") == written.stack.pid("threads") == 0
    code, output = written.run("extract", "threads", "--phase", "prepare")
    assert code == 0, output
    assert written.stack.pid("threads")


def _damage(forum: MovingForum, thread: str, post: str) -> None:
    """Change a word in the copy of a post, bypassing the forum's programs."""
    environment = process_specs.component_environment(forum.stack.config, "posts")
    client = boto3.client(
        "dynamodb",
        endpoint_url=environment["AWS_ENDPOINT_URL_DYNAMODB"],
        region_name="eu-central-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
        config=Config(retries={"total_max_attempts": 2}),
    )
    client.update_item(
        TableName="forum-posts",
        Key={"thread_id": {"S": thread}, "id": {"S": post}},
        UpdateExpression="SET body = :other",
        ExpressionAttributeValues={":other": {"S": "damaged"}},
    )
