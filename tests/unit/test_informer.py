"""The parts of the informer that need no server: back-off, keys, changes."""

from __future__ import annotations

import pytest

from kindler.clients.cluster import MODELS, ApiError, Cluster, Object, Unavailable
from kindler.clients.informer import Informer, InformerTimes, without_managed_fields


def thing(version: str, uid: str = "1", **more: object) -> Object:
    return {"metadata": {"name": "a", "namespace": "n", "uid": uid, "resourceVersion": version, **more}}


def receive(informer: Informer, *values: Object) -> None:
    for value in values:
        informer._put(value)


async def test_a_change_is_reported_once_per_version() -> None:
    reported: list[tuple[Object | None, Object | None]] = []
    informer = Informer(Cluster(), MODELS, on_change=lambda old, new: reported.append((old, new)))
    receive(informer, thing("1"), thing("1"), thing("2"))
    assert reported == [(None, thing("1")), (thing("1"), thing("2"))]


async def test_an_object_recreated_unseen_is_a_deletion_and_a_new_object() -> None:
    reported: list[tuple[Object | None, Object | None]] = []
    informer = Informer(Cluster(), MODELS, on_change=lambda old, new: reported.append((old, new)))
    receive(informer, thing("1", uid="1"), thing("5", uid="2"))
    assert reported == [(None, thing("1", uid="1")), (thing("1", uid="1"), None), (None, thing("5", uid="2"))]


async def test_managed_fields_are_not_stored() -> None:
    informer = Informer(Cluster(), MODELS)
    receive(informer, thing("1", managedFields=[{"manager": "x"}]))
    assert informer.store == {("n", "a"): thing("1")}
    assert without_managed_fields(thing("1")) == thing("1")


async def test_a_failing_callback_or_transform_does_not_stop_the_informer(caplog: pytest.LogCaptureFixture) -> None:
    def fails(*_: object) -> Object:
        raise ValueError("no")

    informer = Informer(Cluster(), MODELS, transform=fails, on_change=fails)
    receive(informer, thing("1"))
    assert informer.store == {("n", "a"): thing("1")}
    assert [r.message for r in caplog.records] == [
        "models ('n', 'a') could not be transformed",
        "on_change failed for models ('n', 'a')",
    ]


@pytest.mark.parametrize(
    "value", [{}, {"metadata": None}, {"metadata": {"namespace": "n"}}, {"metadata": {"name": "a"}}]
)
async def test_an_object_without_a_name_or_version_is_an_error_of_the_server(value: Object) -> None:
    informer = Informer(Cluster(), MODELS)
    informer.store["", "a"] = thing("1")
    with pytest.raises(Unavailable):
        receive(informer, value)


async def test_the_backoff_grows_to_a_limit_and_respects_retry_after() -> None:
    informer = Informer(Cluster(), MODELS, times=InformerTimes(max_backoff=10))
    (view,) = informer._views
    for failures, least, most in ((0, 0.05, 0.1), (3, 0.4, 0.8), (7, 5, 10), (1000, 5, 10)):
        view.failures = failures
        assert all(least <= informer._backoff(view, None) <= most for _ in range(100))
    view.failures = 0
    assert informer._backoff(view, ApiError(429, "TooManyRequests", "", retry_after=7)) == 7
    assert informer._backoff(view, ApiError(429, "TooManyRequests", "", retry_after=86400)) == 30
