"""The table of labs says what the course has."""

import re

from infra.runner.config import ROOT
from labs.course import read_course

COURSE = read_course()


def test_table_of_labs_has_each_with_its_minutes() -> None:
    text = (ROOT / "labs/README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+) ([^|]+) \| (\d+) \|", text, re.MULTILINE)
    assert rows == [(str(lab.number), lab.title, str(lab.minutes)) for lab in COURSE.labs]
