"""A fixture for a component's log."""

import io
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from typing import Any

import pytest

from chassis import logs

Logged = Callable[[], tuple[list[dict[str, Any]], str]]


@pytest.fixture
def logged() -> Iterator[Logged]:
    """Return the objects logged on stdout since the last call, and their text."""
    root, stdout = logging.getLogger(), io.StringIO()
    handlers, level = root.handlers[:], root.level
    with redirect_stdout(stdout):
        logs.configure("tested")

    def logged() -> tuple[list[dict[str, Any]], str]:
        text = stdout.getvalue()
        stdout.seek(0)
        stdout.truncate()
        return [json.loads(line) for line in text.splitlines()], text

    yield logged
    root.handlers[:] = handlers
    root.setLevel(level)
