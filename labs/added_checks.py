"""Checks that a teacher adds: files such as `check_6_1.py` in a folder of their own.

Each has a function `check(workspace)`, which raises an outcome of `labs.outcome` unless the
workspace's code does what the teacher asks for in addition.
"""

import importlib.util
from pathlib import Path
from typing import cast

from labs.course import Check, Step


class AddedCheckError(Exception):
    """A folder or a file of added checks can't be used; the message says why."""


def find_added_check(folder: Path, step: Step) -> Check | None:
    """Return the check that a folder adds to a step; raise AddedCheckError."""
    if not folder.is_dir():
        msg = f"{folder} is not a folder"
        raise AddedCheckError(msg)
    file = folder / f"check_{step.lab}_{step.number}.py"
    if not file.exists():
        return None
    spec = importlib.util.spec_from_file_location(file.stem, file)
    if spec is None or spec.loader is None:
        msg = f"{file} is not a module"
        raise AddedCheckError(msg)
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        msg = f"{file}: {type(error).__name__}: {error}"
        raise AddedCheckError(msg) from error
    if not callable(check := getattr(module, "check", None)):
        msg = f"{file} has no function check(workspace)"
        raise AddedCheckError(msg)
    return cast("Check", check)
