"""An informer with a faulty server: in the end its store equals the server's state, and it reported every change."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from kindler.clients.cluster import MODELS, PODS, Cluster, Object
from kindler.clients.informer import Informer, InformerTimes
from tests.apiserver import ApiServer, Refused, matching

SILENCE = 0.5  # seconds without an event after which the informer reconnects; 70 s in the product
LISTS = matching("list", "models")
WATCHES = matching("watch", "models")


class Followed:
    """An informer, and the state that results from the changes that it reported."""

    def __init__(self, server: ApiServer, informer: Informer) -> None:
        self.server, self.informer = server, informer
        self.sum: dict[tuple[str, str], Object] = {}
        self.changed = asyncio.Event()
        self.reported: list[str] = []

    def on_event(self, old: Object | None, new: Object | None) -> None:
        some = new or old
        assert some is not None
        key = some["metadata"]["namespace"], some["metadata"]["name"]
        assert self.sum.get(key) == old, "what is reported as old is what was reported as new before"
        if new is None:
            del self.sum[key]
        else:
            self.sum[key] = new
        self.reported.append(f"{'-' if new is None else '+' if old is None else '~'}{key[1]}")
        self.changed.set()

    async def until(self, condition: Callable[[], Any]) -> None:
        async with asyncio.timeout(20):
            while not condition():
                self.changed.clear()
                await self.changed.wait()

    async def until_equal(self) -> None:
        """Waits until the store equals the server's state. The reported changes must result in the same state."""
        kind = self.server.store.kind("models")
        await self.until(lambda: _versions(self.informer.store.values()) == _versions(self.server.store.all(kind)))
        assert self.sum == self.informer.store

    async def until_watching(self) -> None:
        async with asyncio.timeout(20):
            await self.server.until(lambda: self.server.watches.of("models"))


def _versions(objects: Any) -> dict[str, str]:
    return {o["metadata"]["name"]: o["metadata"]["resourceVersion"] for o in objects}


def create(server: ApiServer, *names: str, namespace: str = "default") -> None:
    for name in names:
        body = {"metadata": {"name": name}, "spec": {"primaryContainer": {"image": "a:1"}}}
        server.store.create(server.store.kind("models"), namespace, body)


def delete(server: ApiServer, *names: str, namespace: str = "default") -> None:
    for name in names:
        server.store.delete(server.store.kind("models"), namespace, name)


def label(server: ApiServer, name: str, value: str) -> None:
    server.store.merge_patch(server.store.kind("models"), "default", name, {"metadata": {"labels": {"x": value}}})


@asynccontextmanager
async def following(
    server: ApiServer, folder: Path, namespaces: tuple[str, ...] = (), page_size: int = 500
) -> AsyncIterator[Followed]:
    cluster = Cluster(page_size=page_size)
    await cluster.connect(server.kubeconfig(folder))
    informer = Informer(cluster, MODELS, namespaces, times=InformerTimes(SILENCE, 0.2))
    followed = Followed(server, informer)
    informer._on_change = followed.on_event
    running = asyncio.create_task(informer.run())
    try:
        yield followed
        assert not running.done(), "an informer never ends by itself"
    finally:
        running.cancel()
        await asyncio.wait([running])
        await cluster.close()


@pytest.fixture
async def server() -> AsyncIterator[ApiServer]:
    async with ApiServer(namespaces=("other", "third"), bookmark_seconds=0.2) as server:
        yield server


async def test_existing_and_new_objects(server: ApiServer, tmp_path: Path) -> None:
    create(server, "a", "b")
    async with following(server, tmp_path) as followed:
        await followed.informer.synced.wait()
        assert sorted(followed.reported) == ["+a", "+b"]
        await followed.until_watching()
        create(server, "c")
        label(server, "a", "1")
        delete(server, "b")
        await followed.until_equal()
        assert followed.reported[2:] == ["+c", "~a", "-b"] and followed.informer.restarts == 0
        assert followed.informer.store["default", "a"]["kind"] == "Model"
        assert "managedFields" not in followed.informer.store["default", "a"]["metadata"]


async def test_a_cut_watch_resumes_from_its_last_version(server: ApiServer, tmp_path: Path) -> None:
    create(server, "a", "b")
    async with following(server, tmp_path) as followed:
        await followed.until_watching()
        server.watches.cut()
        delete(server, "a")
        create(server, "c")
        await followed.until_equal()
        assert followed.informer.restarts == 1 and len([r for r in server.log if LISTS(r)]) == 1


async def test_deletions_during_an_outage_are_found_by_comparison(server: ApiServer, tmp_path: Path) -> None:
    create(server, "a", "b", "c", "d")
    async with following(server, tmp_path) as followed:
        await followed.until_watching()
        await server.down()
        delete(server, "a", "b")
        delete(server, "c")
        create(server, "c", "e")
        server.compact()
        assert len(followed.informer.store) == 4, "the last known state serves on"
        await server.up()
        await followed.until_equal()
        assert sorted(followed.reported[4:]) == ["+c", "+e", "-a", "-b", "-c"]


async def test_gone_on_a_watch_request_lists_again(server: ApiServer, tmp_path: Path) -> None:
    create(server, "a", "b")
    async with following(server, tmp_path) as followed:
        await followed.until_watching()
        for name in ("x", "y", "z"):
            server.watches.hush()  # the open stream does not deliver the next changes
            create(server, name)
            delete(server, name if name != "x" else "a")
            server.compact()
            server.watches.cut()
            await followed.until_equal()
        assert set(followed.informer.store) == {("default", "b"), ("default", "x")}


async def test_gone_in_the_stream_lists_again(server: ApiServer, tmp_path: Path) -> None:
    create(server, "a")
    async with following(server, tmp_path) as followed:
        await followed.until_watching()
        server.watches.error(Refused(410, "Expired", "too old resource version"))
        delete(server, "a")
        create(server, "b")
        await followed.until_equal()
        await server.until(lambda: len([r for r in server.log if LISTS(r)]) == 2)


async def test_other_errors_in_the_stream_watch_again(server: ApiServer, tmp_path: Path) -> None:
    create(server, "a")
    async with following(server, tmp_path) as followed:
        await followed.until_watching()
        for code in (500, 504, 400):
            server.watches.error(Refused(code, "InternalError", "trouble"))
            create(server, f"m{code}")
            await followed.until_equal()
            await followed.until_watching()
        assert followed.informer.restarts == 3 and len([r for r in server.log if LISTS(r)]) == 1


async def test_a_silent_stream_is_replaced(server: ApiServer, tmp_path: Path) -> None:
    create(server, "a")
    async with following(server, tmp_path) as followed:
        await followed.until_watching()
        server.watches.hush()
        delete(server, "a")
        create(server, "b")
        await followed.until_equal()
        assert followed.informer.restarts == 1


async def test_bookmarks_count_as_data_and_advance_the_version(server: ApiServer, tmp_path: Path) -> None:
    async with following(server, tmp_path) as followed:
        await followed.until_watching()
        for i in range(20):  # these are not models, so the watch of models gets only a bookmark
            server.store.create(server.store.kind("configmaps"), "default", {"metadata": {"name": f"c{i}"}})
        async with asyncio.timeout(20):
            while followed.informer._views[0].version != str(server.store.version):
                server.watches.bookmark()
                await asyncio.sleep(0)
        assert followed.informer.restarts == 0
        server.store.forgotten = (
            server.store.version
        )  # the history before the bookmark is dropped, because a reconnect must not need that history
        server.watches.cut()
        create(server, "a")
        await followed.until_equal()
        assert len([r for r in server.log if LISTS(r)]) == 1


async def test_a_truncated_line_is_not_parsed_as_an_object(server: ApiServer, tmp_path: Path) -> None:
    async with following(server, tmp_path) as followed:
        await followed.until_watching()
        server.watches.truncate()
        create(server, "a")
        await followed.until_equal()
        assert followed.reported == ["+a"] and followed.informer.restarts == 1


async def test_an_object_larger_than_any_buffer(server: ApiServer, tmp_path: Path) -> None:
    async with following(server, tmp_path) as followed:
        await followed.until_watching()
        body = {
            "metadata": {"name": "big", "annotations": {"x": "y" * 5 * 2**20}},
            "spec": {"primaryContainer": {"image": "a:1"}},
        }
        server.store.create(server.store.kind("models"), "default", body)
        await followed.until_equal()
        assert followed.informer.restarts == 0


@pytest.mark.parametrize("status", [500, 503, 429, 403, 404, 401])
async def test_rejected_lists_and_watches_are_retried(server: ApiServer, tmp_path: Path, status: int) -> None:
    create(server, "a")
    lists, watches = server.faults.fail(status, LISTS, times=3), server.faults.fail(status, WATCHES, times=3)
    async with following(server, tmp_path) as followed:
        await followed.until_watching()
        create(server, "b")
        await followed.until_equal()
        assert (lists.met, watches.met, followed.informer.restarts) == (3, 3, 6)


async def test_dropped_and_truncated_responses_are_retried(server: ApiServer, tmp_path: Path) -> None:
    create(server, "a", "b")
    server.faults.drop(LISTS, times=2)
    server.faults.truncate(LISTS, times=2)
    server.faults.drop(WATCHES, times=2)
    async with following(server, tmp_path) as followed:
        await followed.until_watching()
        await followed.until_equal()
        assert sorted(followed.reported) == ["+a", "+b"]


async def test_a_list_interrupted_between_pages_starts_again(server: ApiServer, tmp_path: Path) -> None:
    create(server, *"abcde")
    second = server.faults.fail(410, lambda r: LISTS(r) and "continue" in r.query)
    async with following(server, tmp_path, page_size=2) as followed:
        await server.until(lambda: second.met)
        assert not followed.informer.synced.is_set()
        delete(server, "a")  # the first page of the interrupted list contained this object
        await followed.informer.synced.wait()
        await followed.until_equal()
        assert followed.reported[-1] == "-a" and len(followed.reported) == 6


async def test_only_the_given_namespaces_are_followed(server: ApiServer, tmp_path: Path) -> None:
    for namespace in ("default", "other", "third"):
        create(server, f"in-{namespace}", namespace=namespace)
    async with following(server, tmp_path, ("other", "third")) as followed:
        await followed.informer.synced.wait()
        await server.until(lambda: len(server.watches.of("models")) == 2)
        create(server, "unseen")
        delete(server, "in-other", namespace="other")
        create(server, "new", namespace="third")
        await followed.until(lambda: set(followed.informer.store) == {("third", "in-third"), ("third", "new")})
        assert followed.sum == followed.informer.store


async def test_only_selected_objects_are_stored(server: ApiServer, tmp_path: Path) -> None:
    create(server, "a", "b")
    label(server, "a", "1")
    cluster = Cluster()
    await cluster.connect(server.kubeconfig(tmp_path))
    informer = Informer(cluster, MODELS, (), "x=1", times=InformerTimes(SILENCE))
    followed = Followed(server, informer)
    informer._on_change = followed.on_event
    running = asyncio.create_task(informer.run())
    await followed.until_watching()
    label(server, "b", "1")
    label(server, "a", "2")
    await followed.until(lambda: set(informer.store) == {("default", "b")})
    running.cancel()
    await asyncio.wait([running])
    await cluster.close()


async def test_list_items_are_stored_with_their_kind(server: ApiServer, tmp_path: Path) -> None:
    pod = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "a:1"}]}}
    server.store.create(server.store.kind("pods"), "default", pod)
    cluster = Cluster()
    await cluster.connect(server.kubeconfig(tmp_path))
    informer = Informer(cluster, PODS)
    running = asyncio.create_task(informer.run())
    await informer.synced.wait()
    assert (informer.store["default", "p"]["kind"], informer.store["default", "p"]["apiVersion"]) == ("Pod", "v1")
    running.cancel()
    await asyncio.wait([running])
    await cluster.close()
