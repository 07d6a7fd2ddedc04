"""A first session with clients that two generators make from the documents."""

import os
import secrets
import subprocess
import sys
from pathlib import Path

from tests.support.harness import Stack
from tests.validators.support.programs import Validators

SESSIONS = Path(__file__).with_name("sessions")
SECONDS = 120


def test_generated_python_client_runs_a_session(
    stack: Stack, documents: dict[str, Path], tmp_path: Path
) -> None:
    generator = Path(sys.executable).with_name("openapi-python-client")
    configuration = tmp_path / "configuration.yaml"
    # Without formatters: nobody reads the code.
    configuration.write_text("post_hooks: []\n", encoding="utf-8")
    for domain, document in documents.items():
        made = subprocess.run(
            [
                *(generator, "generate", "--path", document, "--config", configuration),
                *("--meta", "none", "--output-path", tmp_path / f"{domain}_client"),
                "--fail-on-warning",
            ],
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
        )
        assert made.returncode == 0, made.stdout + made.stderr
    done = subprocess.run(
        [sys.executable, SESSIONS / "session.py", stack.base_url, _new_name()],
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    assert (done.returncode, done.stdout) == (0, "the session is complete\n"), done.stderr


def test_generated_typescript_client_runs_a_session(
    stack: Stack, documents: dict[str, Path], installed: Validators, tmp_path: Path
) -> None:
    (tmp_path / "node_modules").symlink_to(installed.packages)
    (tmp_path / "package.json").write_text('{"type": "module"}', encoding="utf-8")
    for name in ("session.ts", "tsconfig.json"):
        (tmp_path / name).write_bytes((SESSIONS / name).read_bytes())
    for domain, document in documents.items():
        made = installed.run("openapi-typescript", document, "-o", tmp_path / f"{domain}.d.ts")
        assert made.returncode == 0, made.stdout + made.stderr
    checked = installed.run("tsc", "--project", tmp_path / "tsconfig.json")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    script = tmp_path / "session.ts"
    done = installed.run_node(script, stack.base_url, _new_name(), folder=tmp_path)
    assert (done.returncode, done.stdout) == (0, "the session is complete\n"), done.stderr


def _new_name() -> str:
    return f"client-{secrets.token_hex(4)}"
