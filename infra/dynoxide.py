"""Install Dynoxide, the DynamoDB of local runs: `python -m infra.dynoxide`.

The package comes from npm's registry and is unpacked only if its hash is the pinned one.
"""

import os
import sys
import tempfile
import tomllib
from collections.abc import Mapping
from pathlib import Path

from infra.setup import npm, platforms

PINS = Path(__file__).with_name("dynoxide.toml")
BIN = Path(sys.executable).parent
MEMBER = "package/dynoxide"


class DynoxideError(Exception):
    """Dynoxide can't be installed; the message gives the reason and the next step."""


def ensure_installed(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the path of the pinned binary; install it first if it is missing."""
    if named := environ.get("DYNOXIDE"):
        if not os.access(named, os.X_OK):
            msg = f"DYNOXIDE names {named}, which is not an executable file"
            raise DynoxideError(msg)
        return Path(named).absolute()
    pins = tomllib.loads(PINS.read_text(encoding="utf-8"))
    binary = BIN / f"dynoxide-{pins['version']}"
    # A power loss can leave an empty file.
    if not binary.exists() or not binary.stat().st_size:
        _install(pins, binary)
    return binary


def binary_path(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the binary's path, without installing it."""
    if named := environ.get("DYNOXIDE"):
        return Path(named).absolute()
    pins = tomllib.loads(PINS.read_text(encoding="utf-8"))
    return BIN / f"dynoxide-{pins['version']}"


def _install(pins: Mapping[str, object], binary: Path) -> None:
    name, hashes = platforms.this_platform().name, pins["integrity"]
    if not isinstance(hashes, dict) or name not in hashes:
        msg = (
            f"no Dynoxide package is pinned for {name}: set DYNOXIDE=/path/to/dynoxide"
            f" (version {pins['version']}), or run the monolith alone with EXTRACTED="
        )
        raise DynoxideError(msg)
    print(f"Fetching Dynoxide {pins['version']}, the local DynamoDB", flush=True)
    try:
        archive = npm.fetch_package(f"@dynoxide/{name}@{pins['version']}", hashes[name])
        program = npm.read_members(archive, MEMBER)[MEMBER]
    except npm.NpmError as error:
        raise DynoxideError(str(error)) from error
    with tempfile.TemporaryDirectory(dir=BIN) as folder:
        unpacked = Path(folder) / binary.name
        with unpacked.open("wb") as file:
            file.write(program)
            file.flush()
            os.fsync(file.fileno())
        unpacked.chmod(0o755)
        # Atomically: another process may look for it at the same time.
        unpacked.replace(binary)


def main() -> int:
    """Install it."""
    try:
        ensure_installed()
    except DynoxideError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
