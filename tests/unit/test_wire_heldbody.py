"""The bytes of a request that waits: the wire keeps them, and reserves their number in the process's limit."""

from __future__ import annotations

from typing import Any, cast

from kindler.activator.wire.heldbody import HeldBody


class Limit:
    """The router as the body sees it: a limit on held bytes."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.reserved = 0

    def reserve_bytes(self, count: int) -> bool:
        if count > 0 and self.reserved + count > self.limit:
            return False
        self.reserved += count
        return True


def held(limit: Limit, first: bytes = b"head+body") -> HeldBody:
    return HeldBody(cast(Any, limit), first)


def test_nothing_is_reserved_before_the_first_reservation() -> None:
    limit = Limit(100)
    body = held(limit)
    assert (limit.reserved, body.first, body.rest) == (0, b"head+body", b"")


def test_bytes_are_kept_in_order_and_reserved() -> None:
    limit = Limit(100)
    body = held(limit)
    assert body.reserve_first()
    assert body.add(b"abc")
    assert body.add(b"de")
    assert (body.first, body.rest, limit.reserved) == (b"head+body", b"abcde", 14)


def test_bytes_beyond_the_limit_are_neither_kept_nor_reserved() -> None:
    limit = Limit(10)
    body = held(limit)
    assert body.reserve_first()
    assert not body.add(b"abc")
    assert (body.rest, limit.reserved) == (b"", 9)
    assert not held(limit).reserve_first()
    assert limit.reserved == 9


def test_written_bytes_stay_reserved_until_they_are_released() -> None:
    limit = Limit(100)
    body = held(limit)
    body.reserve_first()
    body.add(b"abc")
    body.written()
    assert (body.first, body.rest, limit.reserved) == (b"", b"", 12)
    body.release()
    assert limit.reserved == 0


def test_a_second_release_returns_nothing_more() -> None:
    limit = Limit(100)
    other, body = held(limit), held(limit)
    other.reserve_first()
    body.reserve_first()
    body.release()
    body.release()
    assert limit.reserved == 9
