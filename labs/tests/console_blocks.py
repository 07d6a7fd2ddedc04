"""Commands in the texts of steps, with their expected output.

A block begins with ```` ```console ````. Its commands begin with `$`, and the lines after each are
its output, in which `...` stands for any text and a line `...` for any lines. A block
```` ```console start ```` is for the start state, each other one for the solution.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from textwrap import dedent

_BLOCK = re.compile(r"^( *)```console( start)?\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_OTHER = re.compile(r"^ *```(?:sh|bash|shell)\b", re.MULTILINE)


@dataclass(frozen=True)
class Command:
    """A command and its expected output."""

    line: str
    output: str
    at_start: bool

    def matches(self, output: str) -> bool:
        """Return whether an output is the expected one."""
        lines = self.output.rstrip().split("\n")
        # A line of dots may also stand for no line.
        pattern = "".join(
            r"(?:.*\n)*?" if line == "..." else _match_line(line) + r"\n" for line in lines
        )
        return re.fullmatch(pattern, output.rstrip() + "\n") is not None


def read_commands(text: str) -> Iterator[Command]:
    """Read the commands of a text, in their order; raise ValueError for a block of another form."""
    if other := _OTHER.search(text):
        msg = f"a block that is not run: {other.group().strip()}"
        raise ValueError(msg)
    for block in _BLOCK.finditer(text):
        indent, at_start, content = block.groups()
        lines = dedent(content) if indent else content
        for part in re.split(r"^\$ ", lines, flags=re.MULTILINE)[1:]:
            line, _, output = part.partition("\n")
            yield Command(line, output, at_start=bool(at_start))


def _match_line(line: str) -> str:
    return ".*".join(map(re.escape, line.split("...")))
