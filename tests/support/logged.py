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
def logged(log_stream: io.StringIO) -> Logged:
    """Return the objects logged on stdout since the last call, and their text."""
    with redirect_stdout(log_stream):
        logs.configure("tested")

    def logged() -> tuple[list[dict[str, Any]], str]:
        text = _take(log_stream)
        return [json.loads(line) for line in text.splitlines()], text

    return logged


@pytest.fixture
def logged_text(log_stream: io.StringIO) -> Callable[[], str]:
    """Return what was logged on stdout since the last call, in the format for people."""
    with redirect_stdout(log_stream):
        logs.configure("tested", "text")
    return lambda: _take(log_stream)


@pytest.fixture
def log_stream() -> Iterator[io.StringIO]:
    """Provide a stream for logs; the former configuration is restored afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield io.StringIO()
    root.handlers[:] = handlers
    root.setLevel(level)


def _take(stream: io.StringIO) -> str:
    text = stream.getvalue()
    stream.seek(0)
    stream.truncate()
    return text
