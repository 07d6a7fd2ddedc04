"""A PostgreSQL cluster of our own, for as long as tests need it."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.runner.free_port import free_port


def find_binaries() -> Path:
    """Find initdb and postgres, which Debian keeps out of the PATH."""
    newest = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=_major)
    found = str(newest[-1]) if newest else shutil.which("initdb")
    if found is None:
        msg = "these tests need PostgreSQL's server; on Debian: apt install postgresql"
        raise RuntimeError(msg)
    return Path(found).parent


def _major(initdb: Path) -> int:
    return int(initdb.parent.parent.name)


@contextmanager
def cluster(folder: Path) -> Iterator[str]:
    """Run a cluster in `folder`; gives the SQLAlchemy URL of a server without a database."""
    binaries, port = find_binaries(), free_port()
    data = folder / "data"
    # PostgreSQL refuses to run as root; Debian's package brings an account for it.
    as_other = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    if as_other:
        folder.chmod(0o755)
        shutil.chown(folder, "postgres")
    user = ["-U", "forum", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale", "C.UTF-8"]
    _run([*as_other, binaries / "initdb", "-D", data, *user])
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off"
    control = [*as_other, binaries / "pg_ctl", "-D", data, "-w", "-l", folder / "log"]
    _run([*control, "-o", options, "start"])
    try:
        yield f"postgresql+psycopg://forum@127.0.0.1:{port}"
    finally:
        _run([*control, "-m", "immediate", "stop"])


def _run(command: list[str | Path]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
    if done.returncode:
        msg = f"{command} failed:\n{done.stdout}{done.stderr}"
        raise RuntimeError(msg)
