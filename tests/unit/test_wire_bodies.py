"""Bodies: however the bytes are split, the wire finds the end of a body at the same byte as a simple decoder."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kindler.activator.wire.body import Body
from kindler.activator.wire.chunked import DEBT_LIMIT, LINE_LIMIT, TRAILER_LIMIT, BadChunk, Chunks, payload
from kindler.activator.wire.grammar import CHUNKED, LENGTH, NO_BODY, UNTIL_CLOSE


def reference(data: bytes) -> tuple[bytes, int]:
    """The decoded body at the beginning of `data` and the index after it, by RFC 9112 section 7.1.

    Raises ValueError or IndexError.
    """
    decoded, at = b"", 0
    while True:
        line, found, _ = data[at:].partition(b"\r\n")
        if not found or b"\n" in line:
            raise ValueError(line)
        digits = line.partition(b";")[0].rstrip(b" \t")
        if not digits or digits.strip(b"0123456789abcdefABCDEF"):
            raise ValueError(line)
        size = int(digits, 16)
        at += len(line) + 2
        if not size:
            break
        if data[at + size : at + size + 2] != b"\r\n":
            raise ValueError("no CRLF after the data")
        decoded += data[at : at + size]
        at += size + 2
    while data[at : at + 2] != b"\r\n":
        line, found, _ = data[at:].partition(b"\r\n")
        if not found or b":" not in line[1:]:
            raise ValueError(line)
        at += len(line) + 2
    return decoded, at + 2


def feed(data: bytes, cuts: list[int]) -> int:
    """Feeds `data`, split at `cuts`. Returns the index after the body, or -1."""
    chunks, at = Chunks(), 0
    for cut in [*sorted({cut for cut in cuts if 0 < cut < len(data)}), len(data)]:
        end = chunks.feed(data[at:cut])
        if end >= 0:
            return at + end
        at = cut
    return -1


PIECES = st.lists(st.binary(min_size=1, max_size=40), max_size=5)
EXTENSIONS = st.sampled_from([b"", b";a", b';a="b c"', b" ;x=\xe4"])
TRAILERS = st.lists(st.sampled_from([b"A: b\r\n", b"X-Sum:\r\n"]), max_size=2)
AFTER = st.sampled_from([b"", b"POST / HTTP/1.1\r\n", b"\r\n"])


@st.composite
def bodies(draw: st.DrawFn) -> tuple[bytes, bytes, bytes]:
    """Random bodies, each as (decoded body, encoded body, bytes after the body)."""
    pieces = draw(PIECES)
    encoded = b"".join(b"%x%b\r\n%b\r\n" % (len(piece), draw(EXTENSIONS), piece) for piece in pieces)
    encoded += b"0" + draw(EXTENSIONS) + b"\r\n" + b"".join(draw(TRAILERS)) + b"\r\n"
    return b"".join(pieces), encoded, draw(AFTER)


@given(bodies(), st.lists(st.integers(0, 400)))
def test_the_end_of_a_chunked_body_is_found_under_any_split(body: tuple[bytes, bytes, bytes], cuts: list[int]) -> None:
    decoded, encoded, after = body
    assert reference(encoded + after) == (decoded, len(encoded))
    assert feed(encoded + after, cuts) == len(encoded)
    assert feed(encoded[:-1], cuts) == -1
    assert payload(encoded) == decoded


@given(
    st.lists(
        st.sampled_from([b"5", b"0", b"a", b"\r\n", b"\n", b"hello", b"X: y", b";", b" ", b"-", b"+", b"_", b"\r"]),
        max_size=12,
    ).map(b"".join),
    st.data(),
)
def test_only_bodies_that_the_reference_accepts_are_accepted(data: bytes, more: st.DataObject) -> None:
    try:
        end = feed(data, more.draw(st.lists(st.integers(0, len(data)))))
    except BadChunk:
        return
    if end >= 0:
        assert reference(data)[1] == end


@pytest.mark.parametrize(
    "data",
    [
        b"g\r\n",
        b"-1\r\n",
        b"+1\r\n",
        b"0x5\r\n",
        b" 5\r\n",
        b"1_0\r\n",
        b"\r\n",
        b"5\nhello",
        b"5\r\nhelloX\r\n",
        b"5\r\nhello\n0\r\n",
        b"5\r\nhell\r\n\r\n",
        b"5;a\x00b\r\n",
        b"5 a\r\n",
        b"1" * 16 + b"\r\n",
        b"0\r\nno colon\r\n",
        b"0\r\n: x\r\n",
        b"0\r\n folded: x\r\n",
        b"0\r\nContent-Length: 5\r\n",
        b"0\r\ntransfer-encoding: chunked\r\n",
        b"0\r\nHost: x\r\n",
        b"0\r\nConnection: close\r\n",
        b"0\r\nx-kindler-namespace: other\r\n",
        b"0\r\nX-Amzn-RequestId: mine\r\n",
        b"0\r\nX-Forwarded-For: 127.0.0.1\r\n",
        b"0\r\nContent_Length: 5\r\n",
        b"1;" + b"a" * LINE_LIMIT + b"\r\na\r\n",
        b"5;" + b"a" * LINE_LIMIT,
        b"0\r\n" + b"A: b\r\n" * (TRAILER_LIMIT // 6 + 1),
    ],
)
@pytest.mark.parametrize("step", [1, 1_000_000])
def test_malformed_chunked_bodies_are_rejected(data: bytes, step: int) -> None:
    with pytest.raises(BadChunk):
        feed(data, list(range(0, len(data), step)))


@pytest.mark.parametrize("step", [5, 4096, 256 * 1024])
@pytest.mark.parametrize(
    ("chunk", "allowed"),
    [
        (b"1\r\na\r\n", DEBT_LIMIT // 18),  # the limit is about 58,000 chunks of one byte
        (b"1;" + b"x" * 4000 + b"\r\na\r\n", 250),
        (b"18\r\n" + b"a" * 24 + b"\r\n", None),  # chunks of 24 bytes have no limit
    ],
)
def test_tiny_chunks_are_limited(chunk: bytes, allowed: int | None, step: int) -> None:
    """A client or model that sends very small chunks must not block the event loop, however its bytes are split."""
    chunks = Chunks()
    data = chunk * (allowed or 5_000)
    for at in range(0, len(data), step):
        assert chunks.feed(data[at : at + step]) == -1
    if allowed is not None:
        with pytest.raises(BadChunk):
            chunks.feed(chunk * (allowed // 10))


def test_a_large_chunk_pays_the_debt_of_small_ones_back() -> None:
    chunks = Chunks()
    for _ in range(5):
        assert chunks.feed(b"1\r\na\r\n" * (DEBT_LIMIT // 20) + b"%x\r\n%b\r\n" % (DEBT_LIMIT, b"a" * DEBT_LIMIT)) == -1


@given(bodies(), st.integers(0, 400))
def test_a_payload_cut_off_anywhere_is_the_beginning_of_the_whole(body: tuple[bytes, bytes, bytes], cut: int) -> None:
    decoded, encoded, _ = body
    assert decoded.startswith(payload(encoded[:cut]))


@pytest.mark.parametrize(
    ("framing", "length", "pieces", "received", "complete", "rest"),
    [
        (NO_BODY, 0, [b"next"], 0, True, b"next"),
        (LENGTH, 0, [b"next"], 0, True, b"next"),
        (LENGTH, 5, [b"hel"], 3, False, b""),
        (LENGTH, 5, [b"hel", b"lo"], 5, True, b""),
        (LENGTH, 5, [b"hel", b"lo next"], 5, True, b" next"),
        (CHUNKED, 0, [b"1\r\n", b"a\r\n0\r\n\r\nnext"], 11, True, b"next"),
        (UNTIL_CLOSE, 0, [b"a", b"b"], 2, False, b""),
    ],
)
def test_a_body_ends_where_its_framing_says(
    framing: int, length: int, pieces: list[bytes], received: int, complete: bool, rest: bytes
) -> None:
    body = Body(framing, length)
    for piece in pieces:
        end = body.feed(piece)
    assert (body.received, body.complete, piece[end:]) == (received, complete, rest)
