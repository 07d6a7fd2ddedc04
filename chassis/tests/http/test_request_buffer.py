"""A request is complete with its last byte, however it arrives."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.http.request_buffer import MAX_BYTES, RequestBuffer

POST = b"POST / HTTP/1.1\r\nHost: a\r\n"


def _chunked(chunks: list[bytes], extension: bytes, trailer: bytes) -> bytes:
    body = b"".join(b"%x%b\r\n%b\r\n" % (len(one), extension, one) for one in chunks if one)
    return POST + b"Transfer-Encoding: chunked\r\n\r\n" + body + b"0\r\n" + trailer + b"\r\n"


BODIES = st.binary(max_size=50) | st.just(b"0\r\n\r\n") | st.just(b"\r\n\r\n")
REQUESTS = st.one_of(
    st.just(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    BODIES.map(lambda body: POST + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)),
    BODIES.map(lambda body: POST + b"content-length:%d \r\nA: b\r\n\r\n%b" % (len(body), body)),
    st.builds(
        _chunked,
        st.lists(BODIES, max_size=4),
        st.sampled_from([b"", b";a=b"]),
        st.sampled_from([b"", b"A: b\r\n"]),
    ),
)


@given(REQUESTS, st.data())
def test_request_is_complete_with_its_last_byte(request, data):
    cuts = data.draw(st.lists(st.integers(0, len(request) - 1), max_size=8).map(sorted))
    buffer = RequestBuffer()
    for start, end in zip([0, *cuts], [*cuts, len(request) - 1], strict=True):
        buffer.add(request[start:end])
        assert not buffer.complete
    buffer.add(request[-1:])
    assert buffer.complete
    assert buffer.data == request


@pytest.mark.parametrize(
    "malformed",
    [
        POST + b"Transfer-Encoding: chunked\r\n\r\nx\r\n",
        POST + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n",
        POST + b"Content-Length: x\r\n\r\n",
        POST + b"Content-Length: 9999999999999\r\n\r\n",
    ],
)
def test_what_the_parser_will_refuse_is_complete(malformed):
    buffer = RequestBuffer()
    buffer.add(malformed)
    assert buffer.complete


@pytest.mark.parametrize(
    "too_long",
    [
        POST + b"Content-Length: %d\r\n\r\n" % MAX_BYTES,
        POST + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % MAX_BYTES + b"x" * MAX_BYTES,
        b"x" * MAX_BYTES,
    ],
)
def test_request_that_is_too_long_is_noticed(too_long):
    buffer = RequestBuffer()
    buffer.add(too_long)
    assert (buffer.too_long, buffer.complete) == (True, False)
    longest = RequestBuffer()
    head = POST + b"Content-Length: 1000000\r\n\r\n"
    longest.add(head + b"x" * 1_000_000)
    assert (longest.too_long, longest.complete) == (False, True)


def test_expectation_is_noticed_and_removed():
    buffer = RequestBuffer()
    buffer.add(POST + b"expect: 100-Continue\r\nContent-Length: 1\r\n\r\n")
    assert (buffer.awaits_continue, buffer.complete) == (True, False)
    buffer.add(b"x")
    assert buffer.complete
    assert buffer.data == POST + b"Content-Length: 1\r\n\r\nx"


def test_tiny_chunks_are_looked_at_once(monkeypatch):
    """Many small chunks in many pieces cost no more than their number."""
    buffer, looked = RequestBuffer(), []
    buffer.add(POST + b"Transfer-Encoding: chunked\r\n\r\n")
    has_body = buffer._has_body

    def counting() -> bool:
        before = buffer._chunk
        complete = has_body()
        looked.append(buffer._chunk - before)
        return complete

    monkeypatch.setattr(buffer, "_has_body", counting)
    for _ in range(1000):
        buffer.add(b"1\r\nx\r\n")
    assert sum(looked) == 6 * 1000
