"""The datastore's binary is the pinned one, or there is none."""

from pathlib import Path

import pytest

from infra import dynoxide
from infra.dynoxide import DynoxideError


def test_platform_without_a_pin_is_refused_with_the_setting(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(dynoxide, "BIN", tmp_path)
    monkeypatch.setattr("platform.system", lambda: "Plan9")
    monkeypatch.setattr("platform.machine", lambda: "AMD64")
    with pytest.raises(DynoxideError, match=r"pinned for plan9-x64: set DYNOXIDE="):
        dynoxide.ensure_installed({})


def test_existing_binary_can_be_named(tmp_path: Path) -> None:
    program = tmp_path / "dynoxide"
    program.touch(mode=0o755)
    assert dynoxide.ensure_installed({"DYNOXIDE": str(program)}) == program
    with pytest.raises(DynoxideError, match="not an executable"):
        dynoxide.ensure_installed({"DYNOXIDE": str(tmp_path / "elsewhere")})


def test_installed_binary_is_executable_and_reused() -> None:
    first = dynoxide.ensure_installed({})
    assert dynoxide.ensure_installed({}) == first
    assert first.stat().st_mode & 0o111
