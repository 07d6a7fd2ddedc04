"""The mutation run: it counts a mutant as found only if tests ran and noticed it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from infra.tools import mutants

MODULE = """\
NOTES = []


def add(note):
    if not note:
        raise ValueError(note)
    NOTES.append(note)
    print(note)


def conditions():
    return "attribute_exists(id) AND version <= :known"
"""
TESTS = """\
import pytest
import sample

def test_add():
    with pytest.raises(ValueError):
        sample.add("")
    sample.add("a")
    assert sample.NOTES == ["a"]
    assert sample.conditions() == "attribute_exists(id) AND version <= :known"
"""
# Only the plugin that is needed, because each mutant loads them again here.
ENVIRONMENT = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_PLUGINS": "xdist.plugin"}
# Without cosmic-ray, which only `make test-mutants` installs.
SETTING = """\
import sys
from pathlib import Path
from infra.tools import mutants
mutants.ROOT, mutants._OPERATORS = Path.cwd(), ()
"""
JUDGING = """\
explained = mutants.read_explained(Path("explained.md").read_text()).get("sample", set())
config = {"file": "sample.py", "tests": ["tests.py"]}
sys.exit(mutants.judge("sample", config, explained, 60))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "sample.py").write_text(MODULE)
    (tmp_path / "tests.py").write_text(TESTS)
    (tmp_path / "explained.md").write_text("")
    return tmp_path


def start(folder: Path, program: str = JUDGING) -> subprocess.Popen[str]:
    # In a process of its own: a fork of this one would share its threads and its pytest.
    return subprocess.Popen(
        [sys.executable, "-c", SETTING + program],
        cwd=folder,
        env=os.environ | ENVIRONMENT | {"PYTHONPATH": f"{mutants.ROOT}:{folder}"},
        stdout=subprocess.PIPE,
        text=True,
    )


def judge(folder: Path) -> tuple[int, list[str]]:
    with start(folder) as process:
        output, _ = process.communicate(timeout=120)
    assert (folder / "sample.py").read_text() == MODULE
    return process.returncode, output.splitlines()


def test_survivor_is_listed_and_fails_the_run(folder: Path) -> None:
    code, lines = judge(folder)
    assert code == 1
    assert lines[:3] == ["  sample.py:8", "    - print(note)", "    + pass"]
    assert lines[3].startswith("sample: 83 %, 5 of 6 mutants found, 0 survivors explained, 1 not,")
    assert len(lines) == 4


def test_explained_survivor_does_not_fail_the_run(folder: Path) -> None:
    text = "## sample\n\n- `print(note)` → `pass`:\n  nobody reads it.\n"
    (folder / "explained.md").write_text(text)
    code, lines = judge(folder)
    assert code == 0
    assert lines[0].startswith("sample: 83 %, 5 of 6 mutants found, 1 survivors explained, 0 not,")


@pytest.mark.parametrize(
    ("ending", "exit_code"),
    [("os._exit(5)", 5), ("os.kill(os.getpid(), 9)", -9)],
)
def test_mutant_whose_tests_did_not_run_is_not_found(
    folder: Path, ending: str, exit_code: int
) -> None:
    unlucky = f"import os, sample\nif sample.conditions()[10] == 'n':\n    {ending}\n"
    (folder / "tests.py").write_text(unlucky + TESTS)
    code, lines = judge(folder)
    assert code == 1
    assert f"  sample.py:12 (the tests did not run: exit code {exit_code})" in lines
    assert "4 of 6 mutants found" in lines[-1]


@pytest.mark.parametrize("tests", ["", "def test_nothing():\n    assert False\n"])
def test_module_whose_tests_fail_by_themselves_is_not_judged(folder: Path, tests: str) -> None:
    (folder / "tests.py").write_text(tests)
    code, lines = judge(folder)
    assert code == 2
    assert [line.partition(" (")[0] for line in lines] == [
        "sample: the tests fail without a mutant"
    ]


def test_mutant_that_does_not_end_is_found(folder: Path) -> None:
    (folder / "tests.py").write_text("import time\ntime.sleep(600)\n")
    program = "sys.exit(mutants.run_tests(Path('sample.py'), '', ['tests.py'], 1))\n"
    with start(folder, program) as process:
        assert process.wait(60) == mutants.TIMED_OUT
    assert mutants.TIMED_OUT in mutants.FOUND


def test_interrupted_run_leaves_no_tests_running(folder: Path) -> None:
    (folder / "tests.py").write_text(
        "import os, pathlib, time\n"
        "pathlib.Path('made').write_text(str(os.getpgrp()))\n"
        "pathlib.Path('made').rename('group')\n"
        "time.sleep(600)\n"
    )
    with start(folder) as process:
        end = time.monotonic() + 60
        while not (folder / "group").exists():
            assert time.monotonic() < end
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        assert process.wait(30)
    assert not alive(int((folder / "group").read_text()))


def alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_statements_and_conditions_are_changed_one_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(mutants, "_OPERATORS", ())
    found = [(one.line, one.before, one.after) for one in mutants.mutants(MODULE)]
    condition = 'return "attribute_exists(id) AND version <= :known"'
    assert sorted(found) == sorted(
        [
            (6, "raise ValueError(note)", "pass"),
            (7, "NOTES.append(note)", "pass"),
            (8, "print(note)", "pass"),
            (12, condition, condition.replace("attribute_exists", "attribute_not_exists")),
            (12, condition, condition.replace("AND", "OR")),
            (12, condition, condition.replace("<=", "<")),
        ]
    )


def test_statement_after_letters_of_several_bytes_is_removed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(mutants, "_OPERATORS", ())
    (found,) = mutants.mutants('NAME = "é"; print("é")\n')
    assert found.source == 'NAME = "é"; pass\n'


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("chassis/chassis/auth/tokens.py", "chassis.auth.tokens"),
        ("services/posts/posts/dynamodb/store.py", "posts.dynamodb.store"),
        ("monolith/forum/outbox.py", "forum.outbox"),
        ("infra/cdk/iam.py", "infra.cdk.iam"),
    ],
)
def test_module_name_is_that_of_its_import(file: str, name: str) -> None:
    assert mutants.module_name(Path(file)) == name


def test_configured_files_and_tests_exist() -> None:
    modules = mutants.load_modules()
    paths = [path for one in modules.values() for path in (one["file"], *one["tests"])]
    assert not [path for path in paths if not (mutants.ROOT / path).exists()]
    explained = mutants.read_explained(mutants.EXPLAINED.read_text(encoding="utf-8"))
    assert explained.keys() <= modules.keys()


def test_explained_lines_are_lines_of_their_modules() -> None:
    modules = mutants.load_modules()
    explained = mutants.read_explained(mutants.EXPLAINED.read_text(encoding="utf-8"))
    stale = [
        (name, before)
        for name, pairs in explained.items()
        for before, _ in pairs
        if before
        not in map(str.strip, (mutants.ROOT / modules[name]["file"]).read_text().splitlines())
    ]
    assert not stale


def test_marker_of_parameters_is_no_operator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mutants, "_by_operators", lambda text: [text.replace("*", "/")])
    assert list(mutants.mutants("def load(path, *, again):\n    return path\n")) == []
