"""The ReplicaSet controller: as many pods as wanted, and which of them goes first. Called step by step by the kubelet's clock (kubelet.py)."""

from __future__ import annotations

from collections.abc import Callable

from tests.apiserver.objects import Object
from tests.apiserver.store import Store

COST = "controller.kubernetes.io/pod-deletion-cost"


class ReplicaSets:
    """`refuse(replica set)` says why no pod may be created for it (a quota, say), or None."""

    def __init__(self, store: Store) -> None:
        self.refuse: Callable[[Object], str | None] = lambda _: None
        self._store = store
        self._kind = store.kind("replicasets", "apps")
        self._pods = store.kind("pods")

    def step(self) -> None:
        """Looks at every ReplicaSet once: creates or deletes pods, tells its status."""
        for replica_set in self._store.all(self._kind):
            if "deletionTimestamp" not in replica_set["metadata"]:
                self._look(replica_set)

    def pods_of(self, replica_set: Object) -> list[Object]:
        """Its pods that count: neither going nor ended."""
        uid, namespace = replica_set["metadata"]["uid"], replica_set["metadata"]["namespace"]
        return [
            pod
            for pod in self._store.all(self._pods, namespace)
            if any(ref["uid"] == uid for ref in pod["metadata"].get("ownerReferences", []))
            and "deletionTimestamp" not in pod["metadata"]
            and pod["status"]["phase"] not in ("Succeeded", "Failed")
        ]

    def _look(self, replica_set: Object) -> None:
        pods = self.pods_of(replica_set)
        surplus = len(pods) - replica_set["spec"]["replicas"]
        why = self.refuse(replica_set) if surplus < 0 else None
        if surplus < 0 and why is None:
            for _ in range(-surplus):
                self._create(replica_set)
        for pod in sorted(pods, key=_first_to_go)[: max(0, surplus)]:
            self._store.delete(self._pods, pod["metadata"]["namespace"], pod["metadata"]["name"])
        self._tell(replica_set, why)

    def _create(self, replica_set: Object) -> None:
        metadata, template = replica_set["metadata"], replica_set["spec"]["template"]
        owner = {
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "name": metadata["name"],
            "uid": metadata["uid"],
            "controller": True,
            "blockOwnerDeletion": True,
        }
        body = {
            "metadata": template.get("metadata", {})
            | {"generateName": f"{metadata['name']}-", "ownerReferences": [owner]},
            "spec": template["spec"],
        }
        self._store.create(self._pods, metadata["namespace"], body, "kube-controller-manager")

    def _tell(self, replica_set: Object, why: str | None) -> None:
        pods = self.pods_of(replica_set)
        ready = sum(is_ready(pod) for pod in pods)
        status: Object = {"replicas": len(pods), "observedGeneration": replica_set["metadata"]["generation"]}
        status |= {"fullyLabeledReplicas": len(pods)} if pods else {}
        status |= {"readyReplicas": ready, "availableReplicas": ready} if ready else {}
        status |= (
            {"conditions": [{"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": why}]}
            if why
            else {}
        )
        metadata = replica_set["metadata"]
        if replica_set.get("status") == status:
            return
        self._store.update(
            self._kind, metadata["namespace"], metadata["name"], {"status": status}, "status", "kube-controller-manager"
        )


def is_ready(pod: Object) -> bool:
    return any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"].get("conditions", []))


def _first_to_go(pod: Object) -> tuple[bool, bool, bool, int, int]:
    """Without a node, pending, not ready, then the lower deletion cost, then the youngest."""
    cost = int(pod["metadata"].get("annotations", {}).get(COST, "0"))
    age = int(pod["metadata"]["resourceVersion"])
    return bool(pod["spec"].get("nodeName")), pod["status"]["phase"] != "Pending", is_ready(pod), cost, -age
