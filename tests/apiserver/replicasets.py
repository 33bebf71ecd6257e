"""The ReplicaSet controller: creates missing pods and deletes surplus ones in the order of the real controller.

The kubelet (kubelet.py) calls it at each step.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.apiserver.objects import Object
from tests.apiserver.store import Store

COST = "controller.kubernetes.io/pod-deletion-cost"


class ReplicaSets:
    """`refuse(replica_set)`: the reason why no pod can be created for it, for example a quota; or None."""

    def __init__(self, store: Store) -> None:
        self.refuse: Callable[[Object], str | None] = lambda _: None
        self._store = store
        self._kind = store.kind("replicasets", "apps")
        self._pods = store.kind("pods")

    def step(self) -> None:
        """Handles every ReplicaSet once: creates or deletes pods, and writes its status."""
        for replica_set in self._store.all(self._kind):
            if "deletionTimestamp" not in replica_set["metadata"]:
                self._reconcile(replica_set)

    def pods_of(self, replica_set: Object) -> list[Object]:
        """The pods of the ReplicaSet, without those that are being deleted or have ended."""
        uid, namespace = replica_set["metadata"]["uid"], replica_set["metadata"]["namespace"]
        return [
            pod
            for pod in self._store.all(self._pods, namespace)
            if any(ref["uid"] == uid for ref in pod["metadata"].get("ownerReferences", []))
            and "deletionTimestamp" not in pod["metadata"]
            and pod["status"]["phase"] not in ("Succeeded", "Failed")
        ]

    def _reconcile(self, replica_set: Object) -> None:
        pods = self.pods_of(replica_set)
        surplus = len(pods) - replica_set["spec"]["replicas"]
        why = self.refuse(replica_set) if surplus < 0 else None
        if surplus < 0 and why is None:
            for _ in range(-surplus):
                self._create(replica_set)
        for pod in sorted(pods, key=_deletion_order)[: max(0, surplus)]:
            self._store.delete(self._pods, pod["metadata"]["namespace"], pod["metadata"]["name"])
        self._write_status(replica_set, why)

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

    def _write_status(self, replica_set: Object, why: str | None) -> None:
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


def _deletion_order(pod: Object) -> tuple[bool, bool, bool, int, int]:
    """Sort key: first pods without a node, then pending, not ready, lower deletion cost, younger."""
    cost = int(pod["metadata"].get("annotations", {}).get(COST, "0"))
    age = int(pod["metadata"]["resourceVersion"])
    return bool(pod["spec"].get("nodeName")), pod["status"]["phase"] != "Pending", is_ready(pod), cost, -age
