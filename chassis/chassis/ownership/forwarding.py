"""Request handling of a component during and after a move of its domain.

Writes wait for the end of a freeze. Requests that arrive after the cutover are forwarded to the
new owner.
"""

import time

from flask import Flask, Response, request

from chassis.client.connection_pool import ConnectionPool, NoResponseError
from chassis.deadline import RESPONSE_MARGIN, header_value, remaining_seconds
from chassis.errors import Unavailable
from chassis.headers import CUTOVER_FORWARDED, DEADLINE, FORWARDED_PORT
from chassis.ownership.bounded_wait import BoundedWait
from chassis.ownership.state import OwnershipStore, State, cutover_in_progress

READS = {"GET", "HEAD", "OPTIONS"}
_SECONDS = 8.0
# Headers of a single connection, or written again.
_HOP_BY_HOP = {
    *("connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"),
    *("host", "content-length", "accept-encoding", "x-forwarded-for", "date", "server"),
    *(DEADLINE.lower(), FORWARDED_PORT.lower()),
}


class Forwarder:
    """Forwarder of requests to one address."""

    def __init__(self, url: str) -> None:
        self._connections = ConnectionPool(url, 16)

    def forward(self) -> Response:
        """Forward the current request, and return the response unchanged.

        Raises:
            CutoverInProgress: it has already been forwarded.
            Unavailable: no response was received.
        """
        if CUTOVER_FORWARDED in request.headers:
            raise cutover_in_progress()
        seconds = min(_SECONDS, (remaining_seconds() or _SECONDS) - RESPONSE_MARGIN)
        sent = {name: value for name, value in request.headers if name.lower() not in _HOP_BY_HOP}
        sent |= {CUTOVER_FORWARDED: "true", DEADLINE: header_value(seconds)}
        if request.remote_addr:
            sent["X-Forwarded-For"] = request.remote_addr
        query = request.query_string.decode("latin-1")
        target = request.path + (f"?{query}" if query else "")
        body = request.get_data() or None
        try:
            answer = self._connections.send(request.method, target, body, sent, seconds)
        except NoResponseError as error:
            # Not CutoverInProgress: the request may have been executed.
            detail = "This content is temporarily unavailable."
            raise Unavailable(detail) from error
        headers = [(name, value) for name, value in answer.headers.items() if _passes(name)]
        return Response(answer.body, answer.status, headers)


def _passes(name: str) -> bool:
    return name.lower() not in _HOP_BY_HOP and name.lower() != "content-encoding"


def follow_owner(app: Flask, prefix: str, store: OwnershipStore, gateway_url: str) -> None:
    """Make the API below `prefix` respond according to the service's ownership state.

    Writes wait for the end of a freeze. Once the state is closed, requests that still arrive are
    forwarded to the gateway; without one, the response is a 503.
    """
    freeze = BoundedWait()
    gateway = Forwarder(gateway_url) if gateway_url else None

    @app.before_request
    def _answer_or_forward() -> Response | None:
        if request.path != prefix and not request.path.startswith(f"{prefix}/"):
            return None
        ownership = store.current()
        reads = request.method in READS
        if ownership.state != State.CLOSED and (reads or ownership.accepts_writes(time.time())):
            return None
        if ownership.state != State.CLOSED:
            freeze.until(lambda: store.current().state == State.CLOSED or store.accepts_writes())
            ownership = store.current()
        if ownership.state == State.CLOSED:
            if gateway is None:
                raise cutover_in_progress()
            return gateway.forward()
        if not ownership.accepts_writes(time.time()):
            raise cutover_in_progress()
        return None
