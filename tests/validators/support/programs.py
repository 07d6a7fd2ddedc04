"""The validators' programs, run by the pinned Node."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import requests

from infra import stages

SECONDS = 120
# No validator reports to its makers, or looks for a newer version.
_QUIET = {
    "REDOCLY_TELEMETRY": "off",
    "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true",
    "NO_UPDATE_NOTIFIER": "1",
    "NO_COLOR": "1",
}


@dataclass(frozen=True)
class Validators:
    """The folder of the packages, Node, and the browser for those that need one."""

    packages: Path
    node: Path
    browser: Path

    def run(self, program: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Run a package's program to its end."""
        return self.run_node(self.packages / ".bin" / program, *arguments)

    def run_node(
        self, script: Path, *arguments: str | Path, folder: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a script to its end."""
        return subprocess.run(
            [self.node, script, *arguments],
            cwd=folder,
            env=os.environ | _QUIET | {"CHROME_PATH": str(self.browser)},
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
        )


def store_documents(url: str, folder: Path) -> dict[str, Path]:
    """Store the OpenAPI documents that a forum serves; return the file of each domain."""
    files = {}
    for domain in stages.DOMAINS:
        answer = requests.get(f"{url}/api/{domain}/openapi.json", timeout=30)
        answer.raise_for_status()
        files[domain] = folder / f"{domain}.json"
        files[domain].write_bytes(answer.content)
    return files
