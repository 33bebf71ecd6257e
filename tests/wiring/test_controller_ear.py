"""The ear against a strict API server: kopf's events arrive, and what no event told is found by comparison."""

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


class Heard:
    """What the ear told, and a way to await the next word."""

    def __init__(self) -> None:
        self.words: list[tuple[str, str]] = []
        self.changed = asyncio.Event()

    def __call__(self, kind: Resource, old: dict[str, Any] | None, new: dict[str, Any] | None) -> None:
        verb = "gone" if new is None else "new" if old is None else "changed"
        self.words.append((verb, (new or old or {})["metadata"]["name"]))
        self.changed.set()

    async def until(self, *word: str) -> None:
        while tuple(word) not in self.words:
            self.changed.clear()
            await self.changed.wait()


async def listening(server: ApiServer, folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Cluster, Watcher, Heard]:
    monkeypatch.setenv("KUBECONFIG", server.kubeconfig(folder))  # kopf's client reads no other place
    cluster = Cluster()
    await cluster.connect()
    heard = Heard()
    return cluster, Watcher(cluster, (), heard), heard


async def test_kopf_rings_for_each_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with ApiServer(namespaces=("team",)) as server:
        cluster, ear, heard = await listening(server, tmp_path, monkeypatch)
        await cluster.create(MODELS, "team", model("before"))
        ears = asyncio.create_task(ear.run())
        async with asyncio.timeout(30):
            await heard.until("new", "before")
            await cluster.create(MODELS, "team", model("after"))
            await heard.until("new", "after")
            await cluster.merge_patch(MODELS, "team", "after", {"metadata": {"labels": {"a": "b"}}})
            await heard.until("changed", "after")
            await cluster.delete(MODELS, "team", "after")
            await heard.until("gone", "after")
        assert set(ear.heard[MODELS]) == {("team", "before")}
        assert ear.heard[ENDPOINTS] == {}
        ears.cancel()
        await asyncio.gather(ears, return_exceptions=True)
        await cluster.close()


async def test_a_comparison_finds_what_vanished_unheard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with ApiServer(namespaces=("team",)) as server:
        cluster, ear, heard = await listening(server, tmp_path, monkeypatch)
        await cluster.create(MODELS, "team", model("a"))
        await cluster.create(MODELS, "team", model("b"))
        await ear.compare()
        assert heard.words == [("new", "a"), ("new", "b")]
        await cluster.delete(MODELS, "team", "a")
        await ear.compare()
        assert heard.words[2:] == [("gone", "a")]
        await ear.compare()
        assert len(heard.words) == 3
        await cluster.close()


async def test_a_late_word_about_a_former_object_does_not_drop_its_successor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with ApiServer(namespaces=("team",)) as server:
        cluster, ear, heard = await listening(server, tmp_path, monkeypatch)
        former = await cluster.create(MODELS, "team", model("a"))
        await cluster.delete(MODELS, "team", "a")
        await cluster.create(MODELS, "team", model("a"))
        await ear.compare()
        ear._take(MODELS, "DELETED", former)
        assert heard.words == [("new", "a")]
        assert set(ear.heard[MODELS]) == {("team", "a")}
        await cluster.close()
