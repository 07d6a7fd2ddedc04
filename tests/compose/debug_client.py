"""A client of the Debug Adapter Protocol, as an editor has one."""

import json
import socket
from types import TracebackType
from typing import Any

SECONDS = 30


class DebugClient:
    """A debugger that is attached to a program."""

    def __init__(self, port: int) -> None:
        """Connect to a port of this machine."""
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=SECONDS)
        self._stream = self._socket.makefile("rb")
        self._sequence = 0

    def stop_at(self, file: str, line: int) -> None:
        """Attach with one breakpoint, and let the program go on until then."""
        self.request("initialize", {"adapterID": "test", "pathFormat": "path"})
        self._send("attach", {"justMyCode": False})
        self.wait_for("initialized")
        breakpoints = {"source": {"path": file}, "breakpoints": [{"line": line}]}
        answer = self.request("setBreakpoints", breakpoints)
        assert answer["breakpoints"][0]["verified"], answer
        self.request("configurationDone")

    def wait_for(self, event: str) -> dict[str, Any]:
        """Wait for an event; return its body."""
        while True:
            message = self._receive()
            if message["type"] == "event" and message["event"] == event:
                return dict(message.get("body", {}))

    def request(self, command: str, arguments: dict[str, Any] | None = None) -> dict[str, Any]:
        """Send a request; return the body of its response."""
        number = self._send(command, arguments or {})
        while True:
            message = self._receive()
            if message["type"] == "response" and message["request_seq"] == number:
                assert message["success"], message
                return dict(message.get("body") or {})

    def _send(self, command: str, arguments: dict[str, Any]) -> int:
        self._sequence += 1
        message = {"seq": self._sequence, "type": "request", "command": command}
        body = json.dumps(message | {"arguments": arguments}).encode()
        self._socket.sendall(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        return self._sequence

    def _receive(self) -> dict[str, Any]:
        length = 0
        while line := self._stream.readline().strip():
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        assert length, "the debugger has closed the connection"
        message: dict[str, Any] = json.loads(self._stream.read(length))
        return message

    def __enter__(self) -> "DebugClient":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stream.close()
        self._socket.close()
