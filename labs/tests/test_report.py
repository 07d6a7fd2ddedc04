"""Reports over several people, as a teacher reads them."""

import csv
import io
import re
from pathlib import Path

import pytest

from labs import report
from labs.course import read_course
from labs.progress import Progress

COURSE = read_course()


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Store the progress of three people: one passed, one failed twice, one read the solution."""
    files = [tmp_path / name / "progress.json" for name in ("ada", "ben", "cy")]
    ada, ben, cy = map(Progress, files)
    ada.record_begin("5.1")
    ada.record_pass("5.1")
    ben.record_begin("5.1")
    ben.record_failure("5.1", "too-wide")
    ben.record_failure("5.1", "too-wide")
    ben.record_failure("5.1", "not-below")
    ben.record_hint("5.1")
    cy.record_surrender("5.1")
    cy.record_pass("5.1")
    return files


def test_people_are_named_after_their_folders(files: list[Path], tmp_path: Path) -> None:
    assert list(report.read_people(files)) == ["ada", "ben", "cy"]
    other = tmp_path / "ada.json"
    other.write_bytes(files[0].read_bytes())
    assert list(report.read_people([other])) == ["ada"]
    with pytest.raises(report.ReportError, match="two files are of ada"):
        report.read_people([*files, other])
    with pytest.raises(report.ReportError, match="is not a file"):
        report.read_people([tmp_path / "none.json"])


def test_text_says_how_many_passed_and_why_others_did_not(files: list[Path]) -> None:
    text = report.FORMATS["text"](COURSE, report.read_people(files))
    line = next(line for line in text.splitlines() if line.startswith("5.1 "))
    assert line.split()[:4] == ["5.1", "2/3", "0", "1"]
    assert "failed: too-wide (2x), not-below (1x)" in text
    assert "ada: 10 of " in text


def test_csv_has_a_row_for_each_person_and_step(files: list[Path]) -> None:
    text = report.FORMATS["csv"](COURSE, report.read_people(files))
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == 3 * len(COURSE.steps)
    [row] = [row for row in rows if (row["person"], row["step"]) == ("cy", "5.1")]
    assert (row["points"], row["gave_up"]) == ("0", "yes")


def test_html_shows_each_person_and_escapes_names(files: list[Path], tmp_path: Path) -> None:
    hostile = tmp_path / "<b>eve.json"
    hostile.write_bytes(files[1].read_bytes())
    page = report.FORMATS["html"](COURSE, report.read_people([*files, hostile]))
    assert "<b>eve" not in page
    assert "&lt;b&gt;eve" in page
    assert "too-wide (4x), not-below (2x)" in page
    assert len(re.findall(r'<tr><th scope="row">', page)) == len(COURSE.steps) + 4


@pytest.mark.parametrize("form", ["gradescope", "junit"])
def test_formats_for_one_person_refuse_several(form: str, files: list[Path]) -> None:
    with pytest.raises(report.ReportError, match="for one person, not 3"):
        report.FORMATS[form](COURSE, report.read_people(files))
