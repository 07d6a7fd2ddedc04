"""What is known of the bus while it does not run: its queues' addresses, and what it may lose."""

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from infra import ministack
from infra.runner.bus_recovery import BusRecovery
from infra.runner.config import RunConfig, read_config

STOPPING = datetime(2026, 1, 31, 12, tzinfo=UTC)


def local(tmp_path: Path, port: int) -> RunConfig:
    return read_config({"EXTRACTED": "users", "VAR_DIR": str(tmp_path), "BUS_PORT": str(port)})


def test_queues_move_to_another_port_and_messages_stay_as_they_are(tmp_path: Path) -> None:
    def state(url: str) -> dict[str, object]:
        return {
            f"{ministack.ACCOUNT}\0{ministack.REGION}\0{url!r}": {"url": url, "messages": [message]}
        }

    before, after = (
        f"http://127.0.0.1:{port}/{ministack.ACCOUNT}/forum-users" for port in (5001, 5002)
    )
    message = {"body": json.dumps({"quoted": before}), "plain": f"see {before} '{before}'"}
    file = ministack.state_folder(local(tmp_path, 5002)) / "sqs.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(state(before)))
    ministack.rewrite_queue_urls(local(tmp_path, 5002))
    assert json.loads(file.read_text()) == state(after)


def written(folder: Path, at: datetime) -> None:
    folder.mkdir(exist_ok=True)
    for name in ("sns.json", "sqs.json"):
        file = folder / name
        file.touch()
        os.utime(file, (at.timestamp(), at.timestamp()))


def test_nothing_is_lost_before_the_bus_ran(tmp_path: Path) -> None:
    assert BusRecovery(tmp_path / "bus").since is None


def test_what_an_orderly_stop_wrote_is_not_lost(tmp_path: Path) -> None:
    lost = BusRecovery(tmp_path)
    lost.mark_running()
    assert lost.since is None
    written(tmp_path, STOPPING)
    lost.mark_stopped(STOPPING)
    assert BusRecovery(tmp_path).since is None


def test_what_was_recorded_since_shortly_before_the_last_orderly_stop_is_lost(
    tmp_path: Path,
) -> None:
    written(tmp_path, STOPPING)
    BusRecovery(tmp_path).mark_running()
    since = BusRecovery(tmp_path).since
    assert since is not None
    assert timedelta() < STOPPING - since < timedelta(hours=1)


def test_a_bus_that_wrote_nothing_at_its_stop_has_lost_what_it_had(tmp_path: Path) -> None:
    lost = BusRecovery(tmp_path)
    lost.mark_running()
    written(tmp_path, STOPPING - timedelta(seconds=1))
    lost.mark_stopped(STOPPING)
    assert BusRecovery(tmp_path).since is not None


def test_an_orderly_stop_does_not_mend_what_was_lost_before(tmp_path: Path) -> None:
    lost = BusRecovery(tmp_path)
    lost.mark_running()
    lost.mark_died()
    written(tmp_path, STOPPING)
    lost.mark_stopped(STOPPING)
    again = BusRecovery(tmp_path)
    assert again.since is not None
    again.mark_running()
    assert BusRecovery(tmp_path).since == again.since
    again.mark_republished()
    again.mark_stopped(STOPPING)
    assert BusRecovery(tmp_path).since is None
