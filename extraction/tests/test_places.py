"""The variable PLACE, which says where the forum is."""

import pytest

from extraction import __main__ as command
from extraction.deployment.find import PLACES


def test_unknown_place_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PLACE", "aws")
    assert command.main(["extract", "users"]) == 1
    said = capsys.readouterr().out
    assert f"Stopped: PLACE must be one of {', '.join(PLACES)}, not 'aws'." in said


def test_deployment_that_does_not_run_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PLACE", "deploy-local")
    monkeypatch.setenv("PROJECT", "forum-of-nobody")
    assert command.main(["status"]) == 1
    assert "Stopped: No such forum of make deploy-local runs" in capsys.readouterr().out
