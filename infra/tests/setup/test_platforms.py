"""The platform check accepts what Envoy and Dynoxide support, and says what to do elsewhere."""

import pytest

from infra.setup import platforms
from infra.setup.platforms import Platform, find_problem

DEBIAN = Platform("linux", "x64", (2, 36))
MAC = Platform("darwin", "arm64", (15, 1))


@pytest.mark.parametrize(
    "found",
    [
        DEBIAN,
        Platform("linux", "x64", (2, 31)),
        Platform("linux", "arm64", (2, 39)),
        Platform("darwin", "arm64", (15,)),
        Platform("darwin", "arm64", (26, 0, 1)),
    ],
    ids=str,
)
def test_platform_with_envoy_is_supported(found: Platform) -> None:
    assert find_problem(found, {}) is None


@pytest.mark.parametrize(
    "found",
    [
        Platform("linux", "x64", (2, 28)),
        Platform("linux", "x64"),
        Platform("linux", "riscv64", (2, 41)),
        Platform("darwin", "arm64", (14, 7)),
        Platform("darwin", "x64", (15, 1)),
        Platform("windows", "x64"),
    ],
    ids=str,
)
def test_platform_without_envoy_is_refused(found: Platform) -> None:
    problem = find_problem(found, {})
    assert problem is not None
    assert str(found) in problem
    assert platforms.SUPPORTED in problem
    assert "docker compose up" in problem


def test_missing_dynoxide_matters_for_services_only() -> None:
    assert find_problem(MAC, {}) is None
    problem = find_problem(MAC, {}, services=True)
    assert problem is not None
    assert "darwin-arm64" in problem
    assert "it has for linux-x64" in problem
    assert "make run EXTRACTED=" in problem
    assert find_problem(DEBIAN, {}, services=True) is None


def test_named_dynoxide_replaces_the_pinned_one() -> None:
    assert find_problem(MAC, {"DYNOXIDE": "/opt/dynoxide"}, services=True) is None


@pytest.mark.parametrize(
    ("system", "machine", "library", "mac", "expected"),
    [
        ("Linux", "x86_64", ("glibc", "2.36"), "", DEBIAN),
        ("Linux", "aarch64", ("glibc", "2.31"), "", Platform("linux", "arm64", (2, 31))),
        ("Linux", "x86_64", ("", ""), "", Platform("linux", "x64")),
        ("Darwin", "arm64", ("", ""), "15.1", MAC),
        ("Windows", "AMD64", ("", ""), "", Platform("windows", "x64")),
    ],
)
def test_platform_is_read_from_python(
    monkeypatch: pytest.MonkeyPatch,
    system: str,
    machine: str,
    library: tuple[str, str],
    mac: str,
    expected: Platform,
) -> None:
    monkeypatch.setattr("platform.system", lambda: system)
    monkeypatch.setattr("platform.machine", lambda: machine)
    monkeypatch.setattr("platform.libc_ver", lambda: library)
    monkeypatch.setattr("platform.mac_ver", lambda: (mac, ("", "", ""), machine))
    assert platforms.this_platform() == expected


def test_description_names_the_c_library() -> None:
    assert str(DEBIAN) == "linux-x64 with glibc 2.36"
    assert str(Platform("linux", "x64")) == "linux-x64 with a C library other than glibc"
    assert str(MAC) == "darwin-arm64 15.1"
