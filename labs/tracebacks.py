"""The last error in a program's output: what was raised, and at which line of the workspace."""

import re
from dataclasses import dataclass
from pathlib import Path

from labs.outcome import fail

_FRAME = re.compile(r'^ +File "(?P<file>[^"]+)", line (?P<line>\d+)', re.MULTILINE)
_ERROR = re.compile(
    r"^(?P<error>[A-Za-z_][\w.]*(?:Error|Exception|Canceled|Taken)\b.*)$", re.MULTILINE
)
UNWRITTEN = "unwritten"
"""The name of the diagnosis of a body that a lab removed."""
_BEGIN = "Traceback (most recent call last):"


@dataclass(frozen=True)
class RaisedError:
    """An error: its text, and `path:line` of the last of the workspace's lines in its traceback."""

    text: str
    where: str

    @property
    def is_unwritten(self) -> bool:
        """Return whether a body that the lab removed was called."""
        return self.text.startswith("NotImplementedError: Lab ")


def find_last_error(output: str, folder: Path) -> RaisedError | None:
    """Return the last error in an output, of programs that run the code in a folder."""
    _, begin, traceback = output.rpartition(_BEGIN)
    if not begin:
        return None
    where = ""
    for frame in _FRAME.finditer(traceback):
        file = Path(frame["file"])
        if file.is_relative_to(folder) and ".venv" not in file.parts:
            where = f"{file.relative_to(folder)}:{frame['line']}"
    found = _ERROR.search(traceback)
    return RaisedError(found["error"] if found else "an error without a name", where)


def fail_if_unwritten(output: str, folder: Path, page: str) -> None:
    """Fail with a diagnosis if the last error is that of a body that the lab removed."""
    error = find_last_error(output, folder)
    if error is None or not error.is_unwritten:
        return
    fail(
        UNWRITTEN,
        asked="a function whose body the lab removed",
        got=error.text,
        expected="an implementation",
        where=error.where,
        why="The text of the step and the callers say what it does.",
        page=page,
    )
