"""Pin every dependency with its hashes: `make lock`.

A component's `pyproject.toml` lists its dependencies; the root's `[dependency-groups]` lists those
of running and developing. `dev.txt` is compiled first, from all of them, and constrains the others,
so that each version is the same everywhere. Only `cloud-tools.txt` has versions of its own, because
checkov and the AWS CLI pin libraries, and are installed apart. `--upgrade` looks for newer versions
of everything.
"""

import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from infra.setup.npm import npm_command
from infra.setup.validators import LOCKED

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "requirements"
COMPONENTS = {
    "services": ("chassis", "services/users", "services/threads", "services/posts"),
    "monolith": ("chassis", "monolith"),
}
# The infrastructure, each with its own image.
IMAGES = ("gateway", "bus", "emulator")
EVERYTHING = tuple(dict.fromkeys(folder for each in COMPONENTS.values() for folder in each))
OPTIONS = (
    *("--universal", "--python-version", "3.11", "--generate-hashes"),
    *("--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links", "--quiet"),
)
HEADER = "# Pinned by `make lock`; change a pyproject.toml instead of this file.\n"


def main() -> int:
    """Compile every lock file."""
    FOLDER.mkdir(exist_ok=True)
    compile_lock("dev", [*_components(*EVERYTHING), *_groups("run", "dev", "cdk", "emulator")])
    compile_lock("run", [*_components(*EVERYTHING), *_groups("run")], bounded=True)
    compile_lock("cdk", _groups("cdk"), bounded=True)
    compile_lock("node", _groups("node"), bounded=True)
    compile_lock("mutants", _groups("mutants"), bounded=True)
    compile_lock("preview", _groups("preview"), bounded=True)
    compile_lock("cloud-tools", _groups("cloud-tools"))
    for image in IMAGES:
        compile_lock(image, _groups(image), bounded=True)
    for name, folders in COMPONENTS.items():
        compile_lock(name, _components(*folders), bounded=True)
    everything = [*_components(*EVERYTHING), *_groups("compose-dev")]
    compile_lock("compose-dev", everything, bounded=True)
    tools = [*_components(*COMPONENTS["monolith"]), *_groups("tools")]
    compile_lock("tools", tools, bounded=True)
    lock_validators()
    return 0


def lock_validators() -> None:
    """Pin the validators' packages of npm, whose own versions are exact in `package.json`."""
    options = ("--package-lock-only", "--ignore-scripts", "--omit-lockfile-registry-resolved")
    command = [*npm_command(), "install", *options, "--no-audit", "--no-fund", "--silent"]
    subprocess.run(command, check=True, cwd=LOCKED)  # noqa: S603
    sys.stdout.write(f"{(LOCKED / 'package-lock.json').relative_to(ROOT)}\n")


def compile_lock(name: str, requirements: list[str], *, bounded: bool = False) -> None:
    """Write one lock file; `bounded` uses the versions of `dev.txt`."""
    lock = FOLDER / f"{name}.txt"
    uv = Path(sys.executable).with_name("uv")
    options = [*OPTIONS, *sys.argv[1:], "--output-file", str(lock)]
    if bounded:
        options += ["--constraint", str(FOLDER / "dev.txt")]
    with tempfile.NamedTemporaryFile("w", suffix=".in") as file:
        file.write("\n".join(requirements))
        file.flush()
        command = [str(uv), "pip", "compile", *options, file.name]
        subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)  # noqa: S603
    lock.write_text(HEADER + lock.read_text(encoding="utf-8"), encoding="utf-8")
    sys.stdout.write(f"{lock.relative_to(ROOT)}\n")


def _components(*folders: str) -> list[str]:
    listed = [
        requirement
        for folder in folders
        for requirement in _read(ROOT / folder)["project"]["dependencies"]
    ]
    # The forum's own packages are installed from their folders.
    return sorted({line for line in listed if not line.startswith("forum-")})


def _groups(*names: str) -> list[str]:
    return sorted({line for name in names for line in _group(name)})


def _group(name: str) -> Iterator[str]:
    for entry in _read(ROOT)["dependency-groups"][name]:
        if isinstance(entry, str):
            yield entry
        else:
            yield from _group(entry["include-group"])


def _read(folder: Path) -> dict[str, Any]:
    return tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))


if __name__ == "__main__":
    sys.exit(main())
