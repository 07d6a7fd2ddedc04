"""The forum while a part of it is stopped."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from chassis.client.circuit_breaker import OPEN_SECONDS
from tests.support.harness import Stack


@contextmanager
def without(stack: Stack, part: str) -> Iterator[None]:
    """Stop a part of a running stage for as long as the block takes, and then start it again."""
    stack.stop_process(part)
    try:
        yield
    finally:
        stack.start_process(part)
        # Whoever gave the part up asks it again after this time.
        time.sleep(OPEN_SECONDS)
