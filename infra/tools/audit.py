"""Audit pinned versions for known vulnerabilities: `python -m infra.tools.audit`, for `make audit`.

An unreachable database is reported but is no failure; a vulnerability is one.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from infra.tools.lock import FOLDER, ROOT


def main() -> int:
    """Audit the complete lock files; return the exit code."""
    found, asked, known = set(), set(), set()
    # The others are subsets of the first.
    for name in ("dev", "node", "mutants", "preview", "cloud-tools"):
        lock = FOLDER / f"{name}.txt"
        answer = audit(lock)
        if answer is None:
            continue
        for dependency in answer:
            pin = f"{dependency['name']} {dependency.get('version', '')}".strip()
            asked.add(pin)
            if "skip_reason" not in dependency:
                known.add(pin)
            found |= {f"{pin}: {each['id']} ({lock.name})" for each in dependency.get("vulns", ())}
    for line in sorted(found):
        sys.stderr.write(f"{line}\n")
    if not known:
        sys.stdout.write("audit: cannot reach the vulnerability data; nothing was audited.\n")
    else:
        sys.stdout.write(f"audit: {len(known)} of {len(asked)} pins are in the database; ")
        sys.stdout.write(f"{len(found)} vulnerabilities.\n")
    return 1 if found else 0


def audit(lock: Path) -> list[dict[str, Any]] | None:
    """Return pip-audit's result for a lock file; None if the database is unreachable."""
    pip_audit = str(Path(sys.executable).with_name("pip-audit"))
    options = ("--format", "json", "--progress-spinner", "off", "--disable-pip", "--require-hashes")
    command = [pip_audit, *options, "-r", str(lock)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)  # noqa: S603
    try:
        dependencies: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except ValueError:
        sys.stderr.write(f"audit: {lock.name}: {done.stderr.strip().splitlines()[-1:]}\n")
        return None
    return dependencies


if __name__ == "__main__":
    sys.exit(main())
