"""The bytes of one HTTP/1.1 request while they arrive, and whether the request is complete.

Framing only (RFC 9112, section 6): what is malformed counts as complete, so that the parser sees
and rejects it.
"""

import re

MAX_BYTES = 1024 * 1024 + 128 * 1024
"""The longest request that is received: the local gateway's longest body and headers. Applications
refuse much shorter ones."""

# In lower case. Finding a name first is faster than searching for a pattern.
_LENGTH, _CHUNKED, _EXPECT = b"\r\ncontent-length:", b"\r\ntransfer-encoding:", b"\r\nexpect:"
_LENGTH_VALUE = re.compile(_LENGTH + rb"[ \t]*([0-9]{1,12})[ \t]*\r\n")
_EXPECT_CONTINUE = re.compile(_EXPECT + rb"[ \t]*100-continue[ \t]*(?=\r\n)")
_END = b"\r\n\r\n"


class RequestBuffer:
    """A request that is being received."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.complete = False
        self.too_long = False
        self.awaits_continue = False
        """Whether the client waits for `100 Continue`; the header is removed from `data`."""
        self._searched = 0
        self._body = -1  # the index of the body, when the headers are complete
        self._length: int | None = None  # the length of a body that is not chunked
        self._chunk = 0  # the index of the first chunk that is not complete

    def add(self, data: bytes) -> None:
        """Append what has arrived."""
        self.data += data
        if self._body < 0:
            self._read_head()
        if self._body >= 0 and not self.complete:
            self.complete = self._has_body()
        self.too_long = self.too_long or (not self.complete and len(self.data) >= MAX_BYTES)

    def _read_head(self) -> None:
        end = self.data.find(_END, max(0, self._searched - len(_END)))
        self._searched = len(self.data)
        if end < 0:
            return
        head = bytes(self.data[: end + len(_END)]).lower()
        if _EXPECT in head and (expect := _EXPECT_CONTINUE.search(head)):
            self.awaits_continue = True
            del self.data[expect.start() : expect.end()]
            head = head[: expect.start()] + head[expect.end() :]
        self._body = self._chunk = len(head)
        if _CHUNKED not in head:
            length = _LENGTH_VALUE.search(head) if _LENGTH in head else None
            self._length = int(length[1]) if length else 0
            self.too_long = self._body + self._length > MAX_BYTES

    def _has_body(self) -> bool:
        if self._length is not None:
            return len(self.data) >= self._body + self._length
        while (end := self.data.find(b"\r\n", self._chunk)) >= 0:
            try:
                size = int(self.data[self._chunk : end].partition(b";")[0], 16)
            except ValueError:
                return True
            if size <= 0:
                # Trailers, and an empty line.
                return size < 0 or self.data.find(_END, end) >= 0
            following = end + 2 + size + 2
            if following > len(self.data):
                return False
            self._chunk = following
        return False
