"""Budgets for Lighthouse's scores, on the pages that a search engine leads to."""

import json
from pathlib import Path

import pytest

from tests.e2e.support.content import Content
from tests.judges.support.programs import Judges
from tests.support.harness import Stack

BUDGETS = {"accessibility": 1.0, "best-practices": 1.0, "seo": 1.0, "performance": 0.9}
"""The lowest scores. Only performance differs between runs: it is measured on a busy machine."""
FLAGS = (
    *("--quiet", "--output=json", "--no-enable-error-reporting"),
    "--chrome-flags=--headless --no-sandbox --disable-background-networking",
    f"--only-categories={','.join(BUDGETS)}",
)


@pytest.mark.parametrize("name", ["list", "thread", "person"])
def test_page_keeps_its_budgets(
    name: str, after: Stack, content: Content, installed: Judges, tmp_path: Path
) -> None:
    path = {"list": "/", "thread": content.thread, "person": content.person}[name]
    report = tmp_path / "report.json"
    done = installed.run("lighthouse", f"{after.base_url}{path}", *FLAGS, f"--output-path={report}")
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(report.read_text(encoding="utf-8"))
    assert not found.get("runtimeError"), found["runtimeError"]
    scores = {name: found["categories"][name]["score"] for name in BUDGETS}
    below = {audit["title"]: audit["score"] for audit in found["audits"].values()}
    short = [f"{name} {scores[name]}" for name in BUDGETS if scores[name] < BUDGETS[name]]
    assert not short, f"{short}: {[title for title, score in below.items() if score == 0]}"
