"""The command line, as a person uses it from the first lab to a report."""

import csv
import io
import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from labs import __main__ as labs
from labs.course import read_course
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
def person(repository: Path, capfd: pytest.CaptureFixture[str]) -> Person:
    return Person(repository, capfd)


def test_person_is_led_to_the_first_lab(person: Person) -> None:
    code, said = person.run()
    assert code == 0
    assert "Begin with make lab ARGS='start " in said
    code, said = person.run("check")
    assert code == 2
    assert said.startswith("No lab is started yet: make lab ARGS='start ")


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
    assert (first["points"], first["attempts"], first["hints"]) == ("9", "2", "1")
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


def test_reset_of_a_step_keeps_the_other_functions(person: Person) -> None:
    store = person.workspace / "services/users/users/dynamodb/store.py"
    person.run("start", "6")
    store.write_text(
        store.read_text()
        .replace('raise NotImplementedError("Lab 6.1")', "return None  # mine")
        .replace('raise NotImplementedError("Lab 6.3")', "pass  # mine, too")
    )
    said = person.run("reset", "6.1")[1]
    assert "DynamoStore.add in services/users/users/dynamodb/store.py" in said
    assert person.run("reset", "6.1", "--yes")[0] == 0
    assert 'raise NotImplementedError("Lab 6.1")' in store.read_text()
    assert "pass  # mine, too" in store.read_text()


def test_difference_shows_the_functions_of_the_step_alone(person: Person) -> None:
    person.run("start", "6")
    said = person.run("diff", "6.1", "--give-up")[1]
    assert '-            self._db.put(USERNAMES, claim, "attribute_not_exists(id)"),' in said
    assert '+        raise NotImplementedError("Lab 6.1")' in said
    assert "Lab 6.3" not in said


def test_attempts_after_passing_are_not_counted(person: Person) -> None:
    person.run("start", "5")
    person.write('return {"path_separated_prefix": route.prefix}')
    assert person.run("check", "5.1")[0] == 0
    before = person.run("report", "--format", "csv")[1]
    person.write('return {"prefix": route.prefix}')
    assert person.run("check", "5.1")[0] == 1
    assert person.run("report", "--format", "csv")[1] == before


def test_step_that_was_put_back_is_open_again(person: Person) -> None:
    person.run("start", "5")
    person.write('return {"path_separated_prefix": route.prefix}')
    assert person.run("check", "5.1")[0] == 0
    assert "Step 5.1" not in person.run()[1]
    person.run("reset", "5.1", "--yes")
    assert "Step 5.1" in person.run()[1]


def test_step_that_needs_another_one_names_it(person: Person) -> None:
    person.run("start", "6")
    code, said = person.run("check", "6.3")
    assert code == 4
    assert said == "Step 6.3 needs step 6.1, which is not written yet.\n"
    assert "attempts" not in said


def test_routes_that_are_not_toml_are_named(person: Person) -> None:
    person.run("start", "5")
    file = person.workspace / "infra/gateway/routes.toml"
    file.write_text(file.read_text() + "\n[[route]\n")
    code, said = person.run("check", "5.2")
    assert code == 4
    assert "infra/gateway/routes.toml is not TOML" in said
    file.write_text(file.read_text().replace("\n[[route]\n", ""))


def test_links_of_texts_are_paths_of_the_repository(person: Person) -> None:
    person.run("start", "8")
    said = person.run()[1]
    assert "docs/extracting.md" in said
    assert "../" not in said


def test_all_files_of_a_lab_are_put_back(person: Person) -> None:
    person.run("start", "5")
    person.write("return {")
    assert "was never closed" in person.run("reset", "5.1", "--yes")[1]
    assert person.run("reset", "--all")[0] == 2
    assert person.run("reset", "--all", "--yes")[0] == 0
    assert EMPTY in (person.workspace / MATCH).read_text()


def test_all_steps_of_a_lab_are_checked(person: Person) -> None:
    person.run("start", "5")
    code, said = person.run("check", "--all")
    assert code == 1
    for step in ("5.1", "5.2", "5.3"):
        assert f"Step {step} does not pass yet." in said


def test_added_check_decides_too(person: Person, tmp_path: Path) -> None:
    person.run("start", "5")
    person.write('return {"path_separated_prefix": route.prefix}')
    assert person.run("check", "5.1", "--added-checks", str(tmp_path))[0] == 0
    refusal = """
from labs.outcome import fail


def check(workspace):
    assert (workspace.folder / "infra/gateway/routes.toml").is_file()
    fail("no-comment", asked="a comment", got="none", expected="one", why="Style.", page="-")
"""
    file = tmp_path / "check_5_1.py"
    file.write_text(refusal)
    code, said = person.run("check", "5.1", "--added-checks", str(tmp_path))
    assert code == 1
    assert "Asked:          a comment" in said
    file.write_text("def check(workspace):\n    pass\n")
    code, said = person.run("check", "5.1", "--added-checks", str(tmp_path))
    assert code == 0
    assert f"That includes the check that {tmp_path} adds." in said


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("def check(", "SyntaxError"),
        ("import no_such_module\n", "No module named 'no_such_module'"),
        ("check = None\n", "has no function check(workspace)"),
    ],
)
def test_broken_added_check_is_named(
    person: Person, tmp_path: Path, content: str, problem: str
) -> None:
    person.run("start", "5")
    (tmp_path / "check_5_1.py").write_text(content)
    code, said = person.run("check", "5.1", "--added-checks", str(tmp_path))
    assert code == 2
    assert problem in said
    code, said = person.run("check", "5.1", "--added-checks", str(tmp_path / "missing"))
    assert code == 2
    assert "is not a folder" in said


def test_knowledge_check_counts_right_answers(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    questions = read_course().lab(0).questions
    answers = iter(["what?", *(str(question.right) for question in questions)])
    monkeypatch.setattr("builtins.input", lambda: next(answers))
    code, said = person.run("quiz", "0")
    assert code == 0
    assert "Type a number from 1 to 3" in said
    assert f"{len(questions)} of {len(questions)} right." in said
    wrong = iter([str(question.right % 3 + 1) for question in questions])
    monkeypatch.setattr("builtins.input", lambda: next(wrong))
    assert f"0 of {len(questions)} right." in person.run("quiz", "0")[1]


def test_contract_suite_runs_the_code_of_the_workspace(person: Person) -> None:
    person.run("start", "6")
    code, said = person.run("contract", "-k", "test_anyone_can_open_an_account")
    assert code == 1
    assert "1 failed, 1 passed" in said


def test_step_without_a_deployment_says_which_have_one(person: Person) -> None:
    code, said = person.run("check", "6.1", "--on", "local")
    assert code == 2
    assert said == "Step 6.1 has no check of a deployment; 3.3, 5.3 have one.\n"


def test_missing_deployment_is_not_a_failed_step(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORT", "9")  # where nothing listens
    code, said = person.run("check", "3.3", "--on", "local")
    assert code == 4
    assert said.startswith("Not checked: the AWS API did not answer: ")
