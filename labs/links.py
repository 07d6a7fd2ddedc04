"""Links of the texts, which are relative to the files that they stand in."""

import os
import re
from collections.abc import Callable
from pathlib import Path

_LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(([^)\s]+)\)")
_ELSEWHERE = re.compile(r"[a-z]+:|#")

Replace = Callable[[str, Path, str], str]
"""Returns what stands for a link: its label, its path in the repository, and its anchor."""


def replace_links(text: str, source: Path, replace: Replace) -> str:
    """Replace the links to files in a text of the file `source` of the repository."""

    def of_match(link: re.Match[str]) -> str:
        label, target = link.groups()
        if _ELSEWHERE.match(target):
            return link.group()
        name, _, anchor = target.partition("#")
        return replace(label, Path(os.path.normpath(source.parent / name)), anchor)

    return _LINK.sub(of_match, text)


def name_paths(text: str, source: Path) -> str:
    """Replace links by their labels and paths, for a terminal."""
    return replace_links(text, source, _name_path)


def _name_path(label: str, path: Path, _anchor: str) -> str:
    return label if str(path) in label else f"{label} ({path})"
