"""Garbage collection as in kube-controller-manager: it deletes the dependents of deleted objects.

Foreground deletion removes the owner after its dependents.
"""

from __future__ import annotations

import asyncio

from tests.apiserver.kinds import Kind
from tests.apiserver.objects import Object
from tests.apiserver.store import Change, Store


class Collector:
    """Deletes objects whose owner was deleted, soon after each change that can leave such objects.

    Set `enabled` to False to get an API server without a collector.
    """

    def __init__(self, store: Store) -> None:
        self.enabled = True
        self._store = store
        self._due = False
        store.listeners.append(self._on_change)

    def _on_change(self, change: Change) -> None:
        metadata = change.new["metadata"]
        orphan = change.old is None and metadata.get("ownerReferences")
        if self.enabled and not self._due and (change.deleted or orphan or "deletionTimestamp" in metadata):
            self._due = True
            asyncio.get_running_loop().call_soon(self._collect)

    def _collect(self) -> None:
        self._due = False
        everything = self._store.everything()
        alive = {obj["metadata"]["uid"] for _, obj in everything}
        dependents: dict[str, list[tuple[Kind, Object]]] = {}
        for kind, obj in everything:
            owners = [ref["uid"] for ref in obj["metadata"].get("ownerReferences", [])]
            for uid in owners:
                dependents.setdefault(uid, []).append((kind, obj))
            if owners and alive.isdisjoint(owners):
                self._delete(kind, obj)
        for kind, obj in everything:
            if "foregroundDeletion" in obj["metadata"].get("finalizers", []):
                self._foreground(kind, obj, dependents.get(obj["metadata"]["uid"], []))

    def _foreground(self, kind: Kind, obj: Object, waiting_for: list[tuple[Kind, Object]]) -> None:
        for dependent in waiting_for:
            self._delete(*dependent)
        if not waiting_for:
            metadata = obj["metadata"]
            finalizers = [f for f in metadata["finalizers"] if f != "foregroundDeletion"]
            self._store.merge_patch(
                kind,
                metadata.get("namespace", ""),
                metadata["name"],
                {"metadata": {"finalizers": finalizers or None}},
                manager="collector",
            )

    def _delete(self, kind: Kind, obj: Object) -> None:
        metadata = obj["metadata"]
        if (
            "deletionTimestamp" not in metadata
            and self._store.find(kind, metadata.get("namespace", ""), metadata["name"]) is obj
        ):
            self._store.delete(
                kind, metadata.get("namespace", ""), metadata["name"], {"propagationPolicy": "Background"}
            )
