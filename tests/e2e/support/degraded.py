"""The forum while a component is stopped."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from chassis.client.circuit_breaker import OPEN_SECONDS
from tests.support.harness import Stack


@contextmanager
def without(stack: Stack, part: str) -> Iterator[None]:
    """Stop a component of a running stage during the block, then start it again."""
    stack.stop_process(part)
    try:
        yield
    finally:
        stack.start_process(part)
        # The callers' circuit breakers try it again after this time.
        time.sleep(OPEN_SECONDS)
