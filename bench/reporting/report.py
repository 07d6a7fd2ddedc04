"""Reports of the results: JSON and pictures in var, and optionally in the docs."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bench.reporting import plot, tables
from bench.reporting.tables import Results
from bench.targets import targets
from infra.atomic_file import write_atomically

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "performance.md"
BEGIN, END = "<!-- measured by `make bench RECORD=1` -->\n", "<!-- end of what was measured -->\n"
PICTURES = {"loads": "performance-loads.svg", "availability": "performance-availability.svg"}


def write(results: Results, folder: Path) -> list[Path]:
    """Write `results.json`, `results.md` and pictures into a folder; return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / "results.json", folder / "results.md"]
    write_atomically(files[0], json.dumps(results, indent=1) + "\n")
    files[1].write_text(markdown(results), encoding="utf-8")
    return files + _draw(results, folder)


def record(results: Results) -> list[Path]:
    """Replace the results in the docs; return the files."""
    page = PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(
        before + BEGIN + "\n" + markdown(results) + "\n" + END + after, encoding="utf-8"
    )
    return [PAGE, *_draw(results, DOCS)]


def read(folder: Path, parts: Iterable[str]) -> dict[str, Any]:
    """Read the parts of the last results in the folder; missing parts are omitted."""
    file = folder / "results.json"
    try:
        kept = json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):  # none yet, or cut short
        kept = {}
    empty: dict[str, Any] = {part: [] for part in parts}
    return {"about": {}, "titles": {}, "memory_mib": {}, **empty, **kept}


def markdown(results: Results) -> str:
    """Return all results as Markdown."""
    about = results["about"]
    parts = ["## Targets\n", targets(results)]
    if results["loads"]:
        parts += [
            "## Before and after, under load\n",
            f"{about['loads']}\n",
            f"![Requests a second before and after the split]({PICTURES['loads']})\n",
            tables.loads(results),
            "CPU milliseconds of a request, at 16 connections; of a write with all that follows"
            " from its event. The last columns are the dollars of a million requests on Fargate"
            " with cores like these, fully used:\n",
            tables.costs(results),
            "Memory after the load, what processes share divided among them:\n",
            tables.memory(results),
        ]
    if results["availability"]:
        parts += [
            "## While a part is overloaded or dead\n",
            f"{about['availability']}\n",
            f"![Who is answered within a second]({PICTURES['availability']})\n",
            "Answers without an error within a second, and the time of 95 % of all:\n",
            tables.availability(results),
        ]
    if results["growth"]:
        parts += [
            "## While the forum grows\n",
            "Half of all posts are in one thread, a third are by one person. On the left what the"
            " services ask of DynamoDB, on the right what the monolith asks of SQLite (steps are"
            " those of its virtual machine); both in one process, without the network between"
            " components, so the times are there for their proportions.\n",
            tables.growth(results),
        ]
    if results["capacity"]:
        parts += [
            "## What it consumes\n",
            "Units of DynamoDB for one operation, and for what follows from its events in the"
            " relay and in consumers. The price of a million holds these, SNS and SQS, in"
            f" {results['prices']['region']}; a page is the calls of the API that it makes.\n",
            tables.capacity(results),
        ]
    return "\n".join(parts)


def _draw(results: Results, folder: Path) -> list[Path]:
    drawn = {"loads": plot.loads, "availability": plot.availability}
    files = []
    for name, file in PICTURES.items():
        if results[name]:
            (folder / file).write_text(drawn[name](results), encoding="utf-8")
            files.append(folder / file)
    return files
