"""The watcher against a strict API server: kopf's events arrive, and a re-list finds what no event reported."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from kindler.clients.cluster import ENDPOINTS, MODELS, Cluster, Resource
from kindler.controller.watcher import Watcher
from tests.apiserver import ApiServer


def model(name: str) -> dict[str, Any]:
    return {
        "apiVersion": "serving.kindler.dev/v1alpha1",
        "kind": "Model",
        "metadata": {"name": name, "namespace": "team"},
        "spec": {"primaryContainer": {"image": "localhost:5000/echo:1"}},
    }


class Events:
    """Records the events of the watcher as (verb, name), and waits for one of them."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []
        self.changed = asyncio.Event()

    def __call__(self, kind: Resource, old: dict[str, Any] | None, new: dict[str, Any] | None) -> None:
        verb = "gone" if new is None else "new" if old is None else "changed"
        self.seen.append((verb, (new or old or {})["metadata"]["name"]))
        self.changed.set()

    async def until(self, verb: str, name: str) -> None:
        while (verb, name) not in self.seen:
            self.changed.clear()
            await self.changed.wait()


async def connected(
    server: ApiServer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Cluster, Watcher, Events]:
    monkeypatch.setenv("KUBECONFIG", server.kubeconfig(folder))  # kopf's client reads only this variable
    cluster = Cluster()
    await cluster.connect()
    events = Events()
    return cluster, Watcher(cluster, (), events), events


async def test_kopf_reports_each_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with ApiServer(namespaces=("team",)) as server:
        cluster, watcher, events = await connected(server, tmp_path, monkeypatch)
        await cluster.create(MODELS, "team", model("before"))
        watching = asyncio.create_task(watcher.run())
        async with asyncio.timeout(30):
            await events.until("new", "before")
            await cluster.create(MODELS, "team", model("after"))
            await events.until("new", "after")
            await cluster.merge_patch(MODELS, "team", "after", {"metadata": {"labels": {"a": "b"}}})
            await events.until("changed", "after")
            await cluster.delete(MODELS, "team", "after")
            await events.until("gone", "after")
        assert set(watcher.objects[MODELS]) == {("team", "before")}
        assert watcher.objects[ENDPOINTS] == {}
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await cluster.close()


async def test_a_relist_finds_deletions_that_no_event_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with ApiServer(namespaces=("team",)) as server:
        cluster, watcher, events = await connected(server, tmp_path, monkeypatch)
        await cluster.create(MODELS, "team", model("a"))
        await cluster.create(MODELS, "team", model("b"))
        await watcher.relist()
        assert events.seen == [("new", "a"), ("new", "b")]
        await cluster.delete(MODELS, "team", "a")
        await watcher.relist()
        assert events.seen[2:] == [("gone", "a")]
        await watcher.relist()
        assert len(events.seen) == 3
        await cluster.close()


async def test_a_late_event_of_a_deleted_object_does_not_remove_a_new_one_of_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with ApiServer(namespaces=("team",)) as server:
        cluster, watcher, events = await connected(server, tmp_path, monkeypatch)
        former = await cluster.create(MODELS, "team", model("a"))
        await cluster.delete(MODELS, "team", "a")
        await cluster.create(MODELS, "team", model("a"))
        await watcher.relist()
        watcher._receive(MODELS, "DELETED", former)
        assert events.seen == [("new", "a")]
        assert set(watcher.objects[MODELS]) == {("team", "a")}
        await cluster.close()
