"""A cluster behind the API server in memory: ReplicaSet controller, scheduler and kubelet, one small step at a time.

A pod goes through the states of the first line. The second line shows how each step can fail:

    created -> scheduled -> IP known -> running -> ready
               Unschedulable  ErrImagePull, ImagePullBackOff   exit 1, CrashLoopBackOff … | runs but is never ready
"""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Callable
from datetime import UTC, datetime

from tests.apiserver.kinds import Kind
from tests.apiserver.objects import Object, merged, now
from tests.apiserver.replicasets import ReplicaSets
from tests.apiserver.server import ApiServer
from tests.apiserver.store import Change


class Behaviour(enum.Enum):
    READY = "ready"
    UNSCHEDULABLE = "unschedulable"
    IMAGE_MISSING = "image missing"
    CRASHES = "crashes"
    NEVER_PINGS = "never pings"


class Kubelet:
    """Moves the pods of a server from state to state.

    `behave(pod)`: how the pod behaves; the result may change at any time.

    `address(pod)`: the pod's IP. The kubelet calls it once, when it creates the pod's sandbox. So this function can
    also start a listener at the address.

    `lingers(pod)`: True while a pod that is being deleted still runs, because its preStop hook waits.

    `automatic`: after every change of a pod or ReplicaSet, the kubelet takes steps until nothing changes, each step in
    its own turn of the event loop. Otherwise only `tick` takes steps. If `behave` or `lingers` returns another result
    than before, the test must call `poke`.
    """

    def __init__(self, server: ApiServer, automatic: bool = True) -> None:
        self.behave: Callable[[Object], Behaviour] = lambda _: Behaviour.READY
        self.address: Callable[[Object], str] = self._next_address
        self.lingers: Callable[[Object], bool] = lambda _: False
        self.replica_sets = ReplicaSets(server.store)
        # After this many restarts the container stays stopped, because a real back-off would be longer than any test.
        self.crashes = 3
        self._store = server.store
        self._pods = server.store.kind("pods")
        self._addresses = 0
        self._automatic = automatic
        self._due = False
        server.store.listeners.append(self._on_change)

    def tick(self) -> bool:
        """Takes one step of every ReplicaSet and every pod. Returns True if an object changed."""
        before = self._store.version
        self.replica_sets.step()
        for pod in self._store.all(self._pods):
            self._step(pod)
        return self._store.version != before

    def settle(self) -> None:
        """Takes steps until nothing changes."""
        while self.tick():
            pass

    def poke(self) -> None:
        """Takes steps soon, from the event loop, until nothing changes."""
        if not self._due:
            self._due = True
            asyncio.get_running_loop().call_soon(self._run)

    def crash(self, name: str, namespace: str = "default") -> None:
        """Ends the pod's container now. The result of `behave` determines the pod's next state."""
        self._write_status(
            self._store.get(self._pods, namespace, name),
            "Running",
            {"state": _terminated(), "started": False, "ready": False},
            ready=False,
        )

    def _on_change(self, change: Change) -> None:
        if self._automatic and (change.kind is self._pods or change.kind.plural == "replicasets"):
            self.poke()

    def _run(self) -> None:
        self._due = False
        if self.tick():
            self.poke()

    def _next_address(self, _: Object) -> str:
        self._addresses += 1
        return f"10.1.{self._addresses // 250}.{self._addresses % 250 + 1}"

    # One step of one pod

    def _step(self, pod: Object) -> None:
        if pod["metadata"].get("deletionTimestamp"):
            if not self.lingers(pod):
                self._store.delete(
                    self._pods, pod["metadata"]["namespace"], pod["metadata"]["name"], {"gracePeriodSeconds": 0}
                )
            return
        behaviour = self.behave(pod)
        if not pod["spec"].get("nodeName"):
            self._schedule(pod, behaviour)
            return
        status = (pod["status"].get("containerStatuses") or [{}])[0]
        state, restarts = status.get("state", {}), status.get("restartCount", 0)
        waiting = state.get("waiting", {}).get("reason", "")
        if not status:
            self._write_status(pod, "Pending", {"state": {"waiting": {"reason": "ContainerCreating"}}})
        elif "podIP" not in pod["status"]:
            self._patch(pod, {"podIP": (ip := self.address(pod)), "podIPs": [{"ip": ip}], "hostIP": "10.0.0.1"})
        elif behaviour is Behaviour.IMAGE_MISSING and "running" not in state:
            self._pull_fails(pod, waiting)
        elif "running" not in state and (
            waiting != "CrashLoopBackOff" or restarts < self.crashes or behaviour is not Behaviour.CRASHES
        ):
            self._start(pod, status, restarts)
        elif "running" in state and not status.get("started"):
            self._started(pod, status, behaviour)

    def _schedule(self, pod: Object, behaviour: Behaviour) -> None:
        if behaviour is Behaviour.UNSCHEDULABLE:
            reason_and_message = {
                "reason": "Unschedulable",
                "message": "0/1 nodes are available: 1 Insufficient memory.",
            }
            self._patch(
                pod, {"conditions": _conditions(pod, PodScheduled=False, reason_and_message=reason_and_message)}
            )
            return
        self._store.merge_patch(
            self._pods,
            pod["metadata"]["namespace"],
            pod["metadata"]["name"],
            {"spec": {"nodeName": "node-1"}},
            "",
            "kube-scheduler",
        )
        self._patch(pod, {"conditions": _conditions(pod, PodScheduled=True)})

    def _pull_fails(self, pod: Object, waiting: str) -> None:
        image = pod["spec"]["containers"][0]["image"]
        reason = "ErrImagePull" if waiting == "ContainerCreating" else "ImagePullBackOff"
        message = (
            f'failed to pull and unpack image "{image}": not found'
            if reason == "ErrImagePull"
            else f'Back-off pulling image "{image}"'
        )
        if reason != waiting:
            self._write_status(pod, "Pending", {"state": {"waiting": {"reason": reason, "message": message}}})

    def _start(self, pod: Object, status: Object, restarts: int) -> None:
        last = (
            {"lastState": status["state"]}
            if "terminated" in status.get("state", {})
            else {k: status[k] for k in ("lastState",) if k in status}
        )
        restart_count = restarts + 1 if last else restarts
        self._write_status(
            pod,
            "Running",
            {"state": {"running": {"startedAt": now()}}, "restartCount": restart_count, "imageID": _image_id(pod)}
            | last,
            ready=False,
        )

    def _started(self, pod: Object, status: Object, behaviour: Behaviour) -> None:
        if behaviour is Behaviour.CRASHES:
            back_off = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off restarting failed container"}}
            self._write_status(pod, "Running", status | {"state": back_off, "lastState": _terminated()}, ready=False)
        elif behaviour is not Behaviour.NEVER_PINGS:
            self._write_status(pod, "Running", status | {"started": True, "ready": True}, ready=True)

    # Writing the status

    def _write_status(self, pod: Object, phase: str, container: Object, ready: bool | None = None) -> None:
        first = {"name": pod["spec"]["containers"][0]["name"], "image": pod["spec"]["containers"][0]["image"]}
        written: Object = first | {"ready": False, "started": False, "restartCount": 0, "imageID": ""} | container
        patch: Object = {"phase": phase, "containerStatuses": [written]}
        if ready is not None:
            patch["conditions"] = _conditions(pod, Initialized=True, Ready=ready, ContainersReady=ready)
        self._patch(pod, patch)

    def _patch(self, pod: Object, status: Object) -> None:
        kind: Kind = self._pods
        namespace, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
        current = self._store.get(kind, namespace, name)
        self._store.update(
            kind, namespace, name, current | {"status": merged(current["status"], status)}, "status", "kubelet"
        )


def _conditions(pod: Object, reason_and_message: dict[str, str] | None = None, **states: bool) -> list[Object]:
    """The pod's conditions after these changes. lastTransitionTime changes only if a condition's status changes."""
    conditions = {c["type"]: c for c in pod["status"].get("conditions", [])}
    for name, value in states.items():
        status = "True" if value else "False"
        if conditions.get(name, {}).get("status") != status:
            conditions[name] = {"type": name, "status": status, "lastTransitionTime": now()} | (
                reason_and_message or {}
            )
    return list(conditions.values())


def _terminated() -> Object:
    at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"terminated": {"exitCode": 1, "reason": "Error", "startedAt": at, "finishedAt": at}}


def _image_id(pod: Object) -> str:
    return f"example.com/{pod['spec']['containers'][0]['image'].partition(':')[0]}@sha256:{'0' * 64}"
