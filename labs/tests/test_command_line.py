"""The command line, as a person uses it from the first lab to a report."""

import csv
import io
import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from labs import __main__ as labs
from labs.tests.repositories import copy_repository, git

MATCH = "infra/gateway/http_manager.py"
EMPTY = 'raise NotImplementedError("Lab 5.1")'


class Person:
    """Somebody at a terminal."""

    def __init__(self, repository: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.repository, self._capture = repository, capture
        self.workspace = repository / "var/labs/workspace"

    def run(self, *arguments: str) -> tuple[int, str]:
        code = labs.main(list(arguments), self.repository)
        said = self._capture.readouterr()
        return code, said.out + said.err

    def write(self, body: str) -> None:
        file = self.workspace / MATCH
        source = file.read_text()
        begin = source.index("def _match")
        line = source.index("\n", begin) + 1
        end = source.index("\n", line)
        file.write_text(f"{source[:line]}    {body}{source[end:]}")


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_repository(tmp_path_factory.mktemp("labs") / "repository")


@pytest.fixture
def person(repository: Path, capsys: pytest.CaptureFixture[str]) -> Person:
    return Person(repository, capsys)


def test_person_is_led_to_the_first_lab(person: Person) -> None:
    code, said = person.run()
    assert code == 0
    assert "Begin with make lab ARGS='start " in said
    code, said = person.run("check")
    assert code == 2
    assert said.startswith("No lab is started yet: start ")


def test_unknown_lab_and_step_list_the_known_ones(person: Person) -> None:
    code, said = person.run("start", "99")
    assert code == 2
    assert said.startswith("There is no lab 99; there are ")
    code, said = person.run("check", "5.9")
    assert code == 2
    assert "There is no step 5.9; there are " in said


def test_lab_is_done_from_start_to_report(person: Person) -> None:
    code, said = person.run("start", "5")
    assert code == 0
    assert "Started lab 5: Route." in said
    assert "Step 5.1: Match a path and everything below it" in said
    assert EMPTY in (person.workspace / MATCH).read_text()

    code, said = person.run("check")
    assert code == 1
    assert "Got:            NotImplementedError: Lab 5.1" in said
    assert f"Where:          {MATCH}:" in said

    person.write("return {")
    code, said = person.run("check")
    assert code == 4
    assert "SyntaxError" in said
    assert "does not count" in said

    person.write('return {"prefix": route.prefix}')
    code, said = person.run("check")
    assert code == 1
    assert "/api/threadscript" in said
    assert f"Where:          {MATCH}:" in said

    assert "What ends a path's segment?" in person.run("hint")[1]
    code, said = person.run("diff", "5.1")
    assert code == 1
    assert "--give-up" in said

    person.write('return {"path_separated_prefix": route.prefix}')
    code, said = person.run("check")
    assert code == 0
    assert "Step 5.1 passes" in said
    assert "**Why.**" in said
    assert person.run("diff", "5.1") == (0, "Your files are those of the solution.\n")
    assert "Step 5.2: Give users a route" in person.run()[1]

    rows = list(csv.DictReader(io.StringIO(person.run("report", "--format", "csv")[1])))
    first = next(row for row in rows if row["step"] == "5.1")
    assert (first["points"], first["attempts"], first["hints"]) == ("9", "3", "1")
    tests = json.loads(person.run("report", "--format", "gradescope")[1])["tests"]
    scores = {test["name"].partition(" ")[0]: test["score"] for test in tests}
    assert (scores["5.1"], scores["5.2"]) == (9, 0)
    suite = ET.fromstring(person.run("report", "--format", "junit")[1])
    assert int(suite.attrib["failures"]) == len(rows) - 1


def test_reset_puts_the_start_back_and_keeps_the_work(person: Person) -> None:
    person.run("start", "5")
    person.write('return {"path": route.prefix}')
    code, said = person.run("reset", "5.1")
    assert code == 2
    assert "Add --yes" in said
    code, said = person.run("reset", "5.1", "--yes")
    assert code == 0
    assert EMPTY in (person.workspace / MATCH).read_text()
    commit = said.split()[-1].rstrip(".")
    assert '{"path": route.prefix}' in git(person.workspace, "show", f"{commit}:{MATCH}")


def test_main_checkout_stays_whole(person: Person) -> None:
    person.run("start", "5")
    assert not git(person.repository, "status", "--porcelain").strip()
    assert git(person.repository, "branch", "--show-current").strip() == "main"
