"""The limit of time of a suite, as `.ci/run` sets it, in pytest runs of their own."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from infra.runner.config import ROOT
from tests.support.plugins.time_limit import NO_TIME, SLOW, arrange

QUICK = [ROOT / "chassis" / "tests" / "test_clock.py", ROOT / "tests" / "contract" / "test_a.py"]
FILES = [SLOW[0] / "test_x.py", QUICK[0], *(path / "test_y.py" for path in SLOW[1:]), QUICK[1]]
PLUGINS = ("xdist", "tests.support.plugins.time_limit", "tests.support.plugins.skips")


def run_pytest(folder: Path, end: float, *arguments: str) -> tuple[int, str]:
    """Run the tests of a folder; return the exit code and the output."""
    environment = os.environ | {
        "TESTS_END": str(end),
        "FAIL_ON_SKIP": "1",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)]),
    }
    plugins = [f"-p{name}" for name in PLUGINS]
    command = [sys.executable, "-m", "pytest", "-q", "-rs", *plugins, *arguments, str(folder)]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


def write_tests(folder: Path, first: str) -> Path:
    """Write two files of tests; the first test has this body."""
    (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    body = f"import os, pytest, time\ndef test_first():\n    {first}\ndef test_second(): pass\n"
    (folder / "test_one.py").write_text(body, encoding="utf-8")
    (folder / "test_other.py").write_text("def test_third(): pass\n", encoding="utf-8")
    return folder


@pytest.mark.parametrize("arguments", [(), ("-n2", "--dist", "loadfile")])
def test_all_run_where_time_is_left(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    folder = write_tests(tmp_path, "assert 'TESTS_END' not in os.environ")
    code, output = run_pytest(folder, time.time() + 600, *arguments)
    assert (code, "3 passed" in output) == (0, True), output


@pytest.mark.parametrize("arguments", [(), ("-n1",)])
def test_rest_is_left_out_with_its_reason(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    folder = write_tests(tmp_path, "now = time.time(); time.time = lambda: now + 700")
    code, output = run_pytest(folder, time.time() + 600, *arguments)
    assert (code, "1 passed, 2 skipped" in output) == (0, True), output
    assert f"2 tests left out: {NO_TIME}" in output
    assert "    1 test_one.py\n    1 test_other.py" in output


def test_first_test_runs_in_any_case(tmp_path: Path) -> None:
    code, output = run_pytest(write_tests(tmp_path, "pass"), time.time() - 1)
    assert (code, "1 passed, 2 skipped" in output) == (0, True), output


def test_run_in_which_nothing_passes_fails(tmp_path: Path) -> None:
    folder = write_tests(tmp_path, "pytest.skip('there is no engine')")
    code, output = run_pytest(folder, time.time() - 1)
    assert (code, "FAIL_ON_SKIP: 3 skipped" in output) == (1, True), output


def test_other_skips_fail(tmp_path: Path) -> None:
    folder = write_tests(tmp_path, "pytest.skip('there is no engine')")
    code, output = run_pytest(folder, time.time() + 600)
    assert (code, "FAIL_ON_SKIP: 1 skipped" in output) == (1, True), output


def test_turn_of_each_slow_file_comes_after_the_quick_ones() -> None:
    orders = [arrange(FILES, number) for number in range(len(SLOW))]
    assert all(order[:2] == QUICK and sorted(order) == sorted(FILES) for order in orders)
    assert {order[2] for order in orders} == {*FILES} - {*QUICK}
    assert arrange(QUICK, 7) == QUICK
    assert arrange([], 7) == []
