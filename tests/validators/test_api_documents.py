"""The OpenAPI documents of each component, checked by Redocly and Spectral."""

import json
from pathlib import Path

from tests.validators.support.programs import Validators

HERE = Path(__file__).parent
REDOCLY = ("lint", "--config", HERE / "redocly.yaml", "--format", "stylish")
SPECTRAL = ("lint", "--ruleset", HERE / "spectral.yaml", "--fail-severity", "hint")


def test_documents_are_clean_for_redocly(documents: dict[str, Path], installed: Validators) -> None:
    done = installed.run("redocly", *REDOCLY, *documents.values())
    assert done.returncode == 0, done.stdout + done.stderr


def test_documents_are_clean_for_spectral(
    documents: dict[str, Path], installed: Validators
) -> None:
    done = installed.run("spectral", *SPECTRAL, *documents.values())
    assert done.returncode == 0, done.stdout + done.stderr


def test_redocly_and_spectral_refuse_a_small_fault(
    documents: dict[str, Path], installed: Validators
) -> None:
    document = json.loads(documents["threads"].read_text(encoding="utf-8"))
    del document["info"]["license"], document["info"]["contact"]
    documents["threads"].write_text(json.dumps(document), encoding="utf-8")
    redocly = installed.run("redocly", *REDOCLY, documents["threads"])
    assert (redocly.returncode, "info-license" in redocly.stdout + redocly.stderr) == (1, True)
    spectral = installed.run("spectral", *SPECTRAL, documents["threads"])
    assert (spectral.returncode, "info-contact" in spectral.stdout) == (1, True)
