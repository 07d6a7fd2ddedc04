"""Concurrent requests."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from tests.contract.support.client import Answer, Client

RACERS = 50


def race(start: Client, request: Callable[[Client, int], Answer]) -> list[Answer]:
    """Send a request 50 times concurrently, each on its own connection.

    A request that gets a 429, because few passwords are hashed at once, is repeated.
    """
    clients = [Client(start.forum, start.transcript, start.token) for _ in range(RACERS)]
    barrier = Barrier(RACERS)

    def run(number: int) -> Answer:
        # A connection first, so that what races is the request.
        barrier.wait(timeout=30)
        while (answer := request(clients[number], number)).status == 429:
            assert int(answer.headers["Retry-After"]) > 0
            time.sleep(0.1)
        return answer

    with start.transcript.race(), ThreadPoolExecutor(RACERS) as pool:
        answers = list(pool.map(run, range(RACERS)))
    for client in clients:
        client.http.close()
    return answers
