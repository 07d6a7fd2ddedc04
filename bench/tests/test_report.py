"""Reports of results and targets."""

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from bench.reporting import plot, report, tables
from bench.targets import targets


def _load(scenario: str, side: str, connections: int, rate: float, p50: float) -> dict[str, Any]:
    times = {"p50": p50, "p95": 2 * p50, "p99": 3 * p50, "longest": 9 * p50}
    cpu = {"gateway": 0.25, "monolith": 1.0}
    who = {"scenario": scenario, "side": side, "connections": connections}
    return who | times | {"rate": rate, "broken": 0, "refused": 0, "cpu_ms": cpu}


def _seen(side: str, case: str, domain: str, good: float) -> dict[str, Any]:
    return {"side": side, "case": case, "domain": domain, "asked": 9, "good": good, "p95": 12.3}


@pytest.fixture
def results() -> dict[str, Any]:
    return {
        "about": {"loads": "today", "availability": "today"},
        "prices": {"region": "here", "hour": {"vcpu": 0.04}, "million": {}},
        "titles": {"thread": "Thread page <one>"},
        "memory_mib": {"monolith": {"monolith": 100.0}, "split": {"monolith": 90.0, "posts": 50.0}},
        "loads": [
            _load("thread", side, connections, rate, p50)
            for side, rate in (("monolith", 1000.0), ("split", 500.0))
            for connections, p50 in ((1, 3.0), (16, 20.0))
        ],
        "availability": [
            _seen(side, case, domain, good)
            for side, case, good in (("monolith", "dead", 0.0), ("split", "posts dead", 100.0))
            for domain in ("users", "posts")
        ],
        "growth": [],
        "capacity": [],
    }


def test_tables_show_both_sides_with_their_ratio(results: dict[str, Any]) -> None:
    assert "| Thread page <one> | 16 | 1,000 | 500 | 0.50 |" in tables.loads(results)
    # 1.25 ms of a million requests are 0.35 hours.
    assert "1.25 | 1.25 | 0.01 | 0.01 |" in tables.costs(results)
    assert "| **all** | **100** | **140** |" in tables.memory(results)
    assert "| before | dead | 0 %, 12 ms | 0 %, 12 ms |" in tables.availability(results)


@pytest.mark.parametrize(
    ("rate", "verdict"), [(650, "reached"), (400, "floor reached"), (399, "missed")]
)
def test_missed_target_is_reported(results: dict[str, Any], rate: int, verdict: str) -> None:
    results["loads"][-1]["rate"] = float(rate)
    line = next(one for one in targets(results).splitlines() if "split, 16 conn" in one)
    assert line.endswith(f"{rate} req/s | {verdict} |")


def test_pictures_are_well_formed_and_show_every_figure(results: dict[str, Any]) -> None:
    for picture, words in (
        (plot.loads(results), ["1,000", "500", "Thread page <one>"]),
        (plot.availability(results), ["posts dead", "100 %", "0 %"]),
    ):
        texts = [element.text for element in ElementTree.fromstring(picture).iter()]
        assert all(word in texts for word in words), texts


def test_results_are_written_to_a_folder(results: dict[str, Any], tmp_path: Path) -> None:
    files = report.write(results, tmp_path / "bench")
    assert sorted(file.name for file in files) == [
        "performance-availability.svg",
        "performance-loads.svg",
        "results.json",
        "results.md",
    ]
    assert all(file.stat().st_size for file in files)


def test_measurements_not_repeated_are_kept(results: dict[str, Any], tmp_path: Path) -> None:
    report.write(results, tmp_path)
    kept = report.read(tmp_path, ["loads", "growth", "more"])
    assert kept["loads"] == results["loads"]
    assert kept["more"] == []
    assert report.read(tmp_path / "nowhere", ["loads"])["loads"] == []


def test_docs_have_the_page_and_its_pictures() -> None:
    assert report.BEGIN in report.PAGE.read_text(encoding="utf-8")
    assert all((report.DOCS / picture).is_file() for picture in report.PICTURES.values())


def test_docs_get_new_results_and_keep_the_surrounding_text(
    results: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "performance.md"
    page.write_text(f"# Words\n\n{report.BEGIN}old\n{report.END}\nMore words\n", encoding="utf-8")
    monkeypatch.setattr(report, "DOCS", tmp_path)
    monkeypatch.setattr(report, "PAGE", page)
    report.record(results)
    report.record(results)
    text = page.read_text(encoding="utf-8")
    assert text.startswith("# Words\n")
    assert text.endswith("\nMore words\n")
    assert text.count("## Targets") == 1
    assert "old" not in text
