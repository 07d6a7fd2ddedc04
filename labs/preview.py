"""The course as static HTML pages: `python -m labs.preview`, for `make lab-preview`.

The pages are the texts of the steps with their hints and reasons, the knowledge checks, the pages
for teachers, and the documents that they link to. Sphinx writes them; a link without a target is
an error. They need no server and no network.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from infra.runner.config import LABS, ROOT
from labs.course import GRADES, Course, Lab, Step, read_course
from labs.links import replace_links
from labs.questions import Question

FOLDER = ROOT / "var" / LABS / "preview"
_COURSE = Path("labs")
"""The folder of the labs' pages among the sources; documents keep their paths in the repository."""
_DOCUMENTS = ("labs/README.md", "labs/TEACHING.md", "docs/*.md", "docs/adr/*.md")
_IMAGES = ("docs/*.svg", "docs/images/*")
_CONFIGURATION = """
project = "Take the monolith apart"
extensions = ["myst_parser"]
html_theme = "furo"
html_title = project
html_show_copyright = False
myst_heading_anchors = 4
"""


class PreviewError(Exception):
    """A link has no target, or Sphinx found something wrong; the message says where."""


def main() -> int:
    """Write the pages; return the exit code."""
    try:
        index = write_pages(read_course(), FOLDER)
    except PreviewError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"Open {index}\n")
    return 0


def write_pages(course: Course, folder: Path) -> Path:
    """Write the pages of a course and return the path of the first one; raise PreviewError."""
    shutil.rmtree(folder, ignore_errors=True)
    sources, pages = folder / "sources", folder / "html"
    for text, name in _texts(course):
        page = sources / name
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(text, encoding="utf-8")
    for pattern in _IMAGES:
        for image in ROOT.glob(pattern):
            copy = sources / image.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(image, copy)
    (sources / "conf.py").write_text(_CONFIGURATION, encoding="utf-8")
    options = ("--quiet", "--fail-on-warning", "--keep-going", "-b", "html")
    # A process of its own: Sphinx takes what a former build registered for a mistake.
    command = [sys.executable, "-m", "sphinx", *options, str(sources), str(pages)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        msg = f"Sphinx found:\n{done.stderr.strip()}"
        raise PreviewError(msg)
    return pages / "index.html"


def _texts(course: Course) -> Iterator[tuple[str, Path]]:
    """Yield each page in Markdown, and its path among the sources."""
    documents = [
        path.relative_to(ROOT) for pattern in _DOCUMENTS for path in sorted(ROOT.glob(pattern))
    ]
    yield _index(course), Path("index.md")
    for lab in course.labs:
        yield _lab_page(lab, frozenset(documents)), _COURSE / _page_name(lab)
    for document in documents:
        text = (ROOT / document).read_text(encoding="utf-8")
        yield _adapt(text, document, document, frozenset(documents)), document


def _index(course: Course) -> str:
    labs = "\n".join(str(_COURSE / _page_name(lab)) for lab in course.labs)
    return f"""# Take the monolith apart

```{{toctree}}
:hidden:
:maxdepth: 1

labs/README
```

```{{toctree}}
:caption: Labs
:maxdepth: 1

{labs}
```

```{{toctree}}
:caption: Teachers
:maxdepth: 1

labs/TEACHING
```

```{{toctree}}
:caption: Documents
:glob:
:maxdepth: 1

docs/*
```

```{{toctree}}
:caption: Decisions
:glob:
:maxdepth: 1

docs/adr/*
```
"""


def _page_name(lab: Lab) -> str:
    return f"lab{lab.number:02}.md"


def _lab_page(lab: Lab, documents: frozenset[Path]) -> str:
    needs = " It needs Docker." if lab.docker else ""
    parts = [f"# Lab {lab.number}: {lab.title}", f"About {lab.minutes} minutes.{needs}"]
    for step in lab.steps:
        adapt = partial(
            _adapt,
            source=step.source,
            page=_COURSE / _page_name(lab),
            documents=documents,
        )
        parts += [f"#{adapt(step.text.strip())}", *_hints(step)]
        parts.append(_folded("Reasons, after you have passed", adapt(step.reason.strip())))
    if lab.questions:
        parts.append("## What do you know now?")
        parts += map(_question, range(1, len(lab.questions) + 1), lab.questions)
    return "\n\n".join(parts) + "\n"


def _hints(step: Step) -> Iterator[str]:
    for grade, hint in zip(GRADES, step.hints, strict=True):
        yield _folded(f"Hint: {grade}", hint)


def _question(number: int, question: Question) -> str:
    choices = "\n".join(f"{place}. {text}" for place, text in enumerate(question.choices, start=1))
    answer = _folded("Answer", f"{question.right}. {question.because}".replace(".", "\\.", 1))
    return f"**Question {number}.** {question.ask}\n\n{choices}\n\n{answer}"


def _folded(summary: str, text: str) -> str:
    return f"<details><summary>{summary}</summary>\n\n{text}\n\n</details>"


def _adapt(text: str, source: Path, page: Path, documents: frozenset[Path]) -> str:
    """Make links fit the place of the page, and name files that have no page."""
    # Sphinx has no drawings of this kind; their text is readable.
    text = text.replace("```mermaid", "```text")

    def replace(label: str, path: Path, anchor: str) -> str:
        if not (ROOT / path).exists():
            msg = f"{source} links to {path}, which does not exist"
            raise PreviewError(msg)
        if path not in documents:
            return label if str(path) in label else f"{label} (`{path}`)"
        relative = os.path.relpath(path, page.parent)
        return f"[{label}]({relative}{'#' + anchor if anchor else ''})"

    return replace_links(text, source, replace)


if __name__ == "__main__":
    sys.exit(main())
