"""The datastore's binary is the pinned one, or there is none."""

import base64
import hashlib
import io
import tarfile
from pathlib import Path

import pytest

from infra import dynoxide
from infra.dynoxide import DynoxideError


def package(member: str = dynoxide.MEMBER) -> bytes:
    content = b"a program"
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        info = tarfile.TarInfo(member)
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))
    return packed.getvalue()


def integrity(of: bytes) -> str:
    return "sha512-" + base64.b64encode(hashlib.sha512(of).digest()).decode()


def test_a_package_with_the_pinned_hash_is_unpacked() -> None:
    assert dynoxide.extract_verified(package(), integrity(package())) == b"a program"


def test_a_package_with_another_hash_is_refused() -> None:
    with pytest.raises(DynoxideError, match="another hash"):
        dynoxide.extract_verified(package() + b"\0", integrity(package()))


def test_a_package_without_the_program_is_refused() -> None:
    other = package("package/other")
    with pytest.raises(DynoxideError, match="holds no"):
        dynoxide.extract_verified(other, integrity(other))


def test_a_platform_without_a_pin_is_told_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(dynoxide, "BIN", tmp_path)
    monkeypatch.setattr("platform.system", lambda: "Plan9")
    monkeypatch.setattr("platform.machine", lambda: "AMD64")
    with pytest.raises(DynoxideError, match=r"pinned for plan9-x64: set DYNOXIDE="):
        dynoxide.ensure_installed({})


def test_a_binary_that_is_already_there_can_be_named(tmp_path: Path) -> None:
    program = tmp_path / "dynoxide"
    program.touch(mode=0o755)
    assert dynoxide.ensure_installed({"DYNOXIDE": str(program)}) == program
    with pytest.raises(DynoxideError, match="no program"):
        dynoxide.ensure_installed({"DYNOXIDE": str(tmp_path / "elsewhere")})


def test_the_installed_binary_runs_where_it_is_looked_for() -> None:
    first = dynoxide.ensure_installed({})
    assert dynoxide.ensure_installed({}) == first
    assert first.stat().st_mode & 0o111
