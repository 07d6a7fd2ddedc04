"""A full disk: /dev/full refuses every write as one does."""

import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from infra.runner import supervisor_rpc
from infra.runner.config import ROOT
from infra.runner.process_specs import ProcessSpec
from infra.runner.supervisord import configuration, log_file
from tests.support.waits import wait_until

TALKS = "while True: print('a line', flush=True)"


def test_supervisord_survives_logs_that_cannot_be_written(tmp_path: Path) -> None:
    program = ProcessSpec("talker", "setup", (sys.executable, "-c", TALKS))
    log_file(tmp_path, "talker").symlink_to("/dev/full")
    path, file = tmp_path / "socket", tmp_path / supervisor_rpc.CONFIGURATION
    file.write_text(configuration(tmp_path, path, tmp_path, [program]))
    command = [sys.executable, "-m", "infra.runner.supervisord_process", "-n", "-c", str(file)]
    with Path("/dev/full").open("wb") as output:
        process = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT)
    try:
        wait_until(lambda: _listens(path))
        with supervisor_rpc.proxy(path) as server:
            server.supervisor.startProcess("setup:talker", False)
            time.sleep(1)
            info: Any = server.supervisor.getProcessInfo("setup:talker")
            assert info["statename"] == "RUNNING"
        assert process.poll() is None
    finally:
        process.terminate()
        process.wait(10)


def _listens(path: Path) -> bool:
    """Return whether a socket accepts connections, which it does later than it exists."""
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(str(path)) == 0
