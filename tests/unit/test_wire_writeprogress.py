"""The wire measures whether a client takes the bytes that the wire writes to it."""

from __future__ import annotations

from kindler.activator.wire.writeprogress import WriteProgress


def test_a_client_that_takes_nothing_for_the_whole_limit_is_stalled() -> None:
    progress = WriteProgress(limit=10.0)
    progress.watch(100.0, unsent=500)
    assert not progress.stalled(500, 109.9)
    assert progress.stalled(500, 110.0)


def test_every_byte_that_the_client_takes_moves_the_deadline() -> None:
    progress = WriteProgress(limit=10.0)
    progress.watch(100.0, unsent=500)
    assert not progress.stalled(499, 115.0)
    assert not progress.stalled(499, 124.9)
    assert progress.stalled(499, 125.0)


def test_more_bytes_to_send_are_no_progress() -> None:
    progress = WriteProgress(limit=10.0)
    progress.watch(100.0, unsent=500)
    assert not progress.stalled(600, 109.0)
    assert progress.stalled(600, 110.0)


def test_watching_again_compares_with_the_last_check() -> None:
    progress = WriteProgress(limit=10.0)
    progress.watch(100.0, unsent=500)
    progress.watch(105.0)
    assert not progress.stalled(400, 116.0)


def test_nothing_stalls_while_nobody_watches() -> None:
    progress = WriteProgress(limit=10.0)
    assert not progress.stalled(500, 1e9)
    progress.watch(100.0, unsent=500)
    progress.stop()
    assert not progress.stalled(500, 1e9)
