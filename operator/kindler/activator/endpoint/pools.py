"""The pods of one endpoint: which of them take requests, how many there should be, and which may go.

    seen with an IP -> probed -> first 200: usable (a place) -> deleting, stopped, another IP, failing connections: lost -> probed again, unless it goes
The kubelet's Ready never takes a place away: a container with one worker cannot answer pings while it works. It gives one, once: where the route is seen to
move, the controller has had pods Ready there before, and a request at that very moment shall not wait for a ping of ours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from kindler.activator.endpoint.actuator import PoolActuator
from kindler.activator.endpoint.pod import Pod
from kindler.activator.endpoint.requests import Backend
from kindler.activator.endpoint.size import PoolFacts, PoolSize
from kindler.api import names
from kindler.api.route import Route
from kindler.core.common.pods import PodFacts, PodFailure
from kindler.core.dataplane import outliers, scaling
from kindler.core.dataplane.placement import Placement

SUSPECT_SECONDS: Final = (
    60.0  # without a good ping: for so long a warm pod that answered before is taken for busy, and stands
)


class PodPools:
    """`opened` is called whenever a pod's answer made it usable, also one that was to go. Times in monotonic seconds."""

    def __init__(
        self, namespace: str, actuator: PoolActuator, clock: Callable[[], float], opened: Callable[[], None]
    ) -> None:
        self.namespace = namespace
        self.route: Route | None = None
        self.placement: Placement[Backend] = Placement(1)
        self.pods: dict[str, Pod] = {}
        self.sizes: dict[str, PoolSize] = {}
        self.shaky: dict[str, int] = {}  # uid -> failures since the last good answer
        self._actuator = actuator
        self._clock = clock
        self._opened = opened

    # What the cluster shows

    def serve(self, route: Route, seen_to_move: bool = True) -> None:
        """New requests go to this route's revision; pods of others take none any more. `seen_to_move`: it was not just found so, by a process that begins.

        Who waits is for the caller to serve, when all places are there: the warm pool's come before the others.
        """
        moved = self.route is None or self.route.revision != route.revision
        self.route = route
        if not moved:
            self.placement.limit(route.max_concurrency_per_instance)
            return
        self.placement = Placement(route.max_concurrency_per_instance)
        for pod in self.pods.values():
            if pod.facts.revision != route.revision:
                self._close(pod)
            elif seen_to_move and pod.facts.ready and pod.ping is None:
                self._open(pod, pod.started)
            else:
                self.probe(pod)

    def show(self, facts: PodFacts) -> None:
        """A pod of any revision of the endpoint appeared or changed."""
        now = self._clock()
        pod = self.pods.get(facts.uid)
        if pod is None:
            pod = self.pods[facts.uid] = Pod(facts, now)
        else:
            before = pod.facts
            pod.note(facts, now)
            if before.ip is not None and before.ip != facts.ip:
                self._close(pod)
                pod.backend = None
            elif before.started != facts.started:
                pod.silent_since = now
                if before.started is not None:
                    self._lose(pod)
        if pod.active:
            self.probe(pod)
        else:
            self._close(pod)

    def gone(self, uid: str) -> None:
        """A pod is not in the cluster any more."""
        pod = self.pods.pop(uid, None)
        self.shaky.pop(uid, None)
        if pod is not None:
            self._close(pod)

    def show_size(self, facts: PoolFacts) -> None:
        """A ReplicaSet of the endpoint appeared or changed."""
        size = self.sizes.get(facts.name)
        if size is None:
            size = self.sizes[facts.name] = PoolSize(self.namespace, facts.name, facts.replicas, self._clock())
        size.show(facts, self._clock())

    def drop_size(self, name: str) -> None:
        """A ReplicaSet is not there any more: what was asked of it is not asked of one that comes back under its name."""
        size = self.sizes.pop(name, None)
        if size is not None:
            size.asked = None

    def close(self) -> None:
        """The endpoint is gone: no pod takes anything any more, what is in flight finishes."""
        for pod in self.pods.values():
            self._close(pod)
        for size in self.sizes.values():
            size.asked = None

    # Places

    def suspect(self, backend: Backend) -> None:
        """A connection to the pod failed, or its time ran out: it is a place again only after a good ping."""
        pod = self.pods.get(backend.uid)
        if pod is None or pod.backend is not backend or not pod.usable:
            return
        self.shaky[backend.uid] = self.shaky.get(backend.uid, 0) + 1
        self._lose(pod)
        self.probe(pod)

    def usable(self) -> Backend | None:
        """Any pod that answers, also one that is to go."""
        return next((p.backend for p in self.serving() if p.usable), None)

    def allocated(self) -> int:
        """How many requests the warm pods that stand take together, free or not: those that answer, are Ready, or did not answer for a while only.

        It is what sizes are computed from, so a pod too busy to answer a ping counts, and one that was Ready before this process began.
        """
        if self.route is None:
            return 0
        since = self._clock() - SUSPECT_SECONDS
        warm = (p for p in self.serving() if p.facts.pool == names.WARM)
        return self.route.max_concurrency_per_instance * sum(
            p.usable or p.facts.ready or (p.backend is not None and p.silent_since > since) for p in warm
        )

    def _answered(self, pod: Pod) -> None:
        pod.probed = False
        if self._open(pod, self._clock()):
            self._opened()

    def _open(self, pod: Pod, since: float | None) -> bool:
        """The pod answers, for the first time since `since` or, where it has been a place before, again. False: it does not count any more."""
        facts, route = pod.facts, self.route
        if (
            route is None
            or facts.revision != route.revision
            or not pod.active
            or facts.ip is None
            or self.pods.get(facts.uid) is not pod
        ):
            return False
        now = self._clock()
        if pod.backend is None:
            pod.ping = now if since is None else since
            pod.backend = Backend(
                facts.ip, route.port, facts.name, facts.uid, facts.pool, facts.revision, last_used=now
            )
        pod.backend.closing = False
        pod.usable = True
        if not pod.marked:
            self.placement.add(pod.backend, warm=facts.pool == names.WARM)
        return True

    def probe(self, pod: Pod) -> None:
        """Pings a pod that might become a place, unless that is under way."""
        route, facts = self.route, pod.facts
        if (
            route is None
            or facts.revision != route.revision
            or pod.usable
            or pod.probed
            or facts.ip is None
            or not pod.active
        ):
            return
        pod.probed = True
        rest = outliers.ejection_seconds(self.shaky.get(facts.uid, 0))
        self._actuator.probe(pod, route.port, route.health_path, rest, pod.backend is not None, self._answered)

    def _lose(self, pod: Pod) -> None:
        """It is no place until a good ping."""
        if not pod.usable or pod.backend is None:
            return
        pod.usable = False
        pod.silent_since = self._clock()
        self.placement.remove(pod.backend)
        self._actuator.close_idle(pod.backend)

    def _close(self, pod: Pod) -> None:
        """It is no place any more, and no connection to it is kept."""
        self._lose(pod)
        if pod.backend is not None:
            pod.backend.closing = True
            self._actuator.close_idle(pod.backend)
        pod.probed = False
        self._actuator.forget(pod)

    # Sizes

    def serving(self) -> Iterator[Pod]:
        """Pods of the serving revision that count."""
        revision = self.route.revision if self.route else None
        return (p for p in self.pods.values() if p.facts.revision == revision and p.active)

    def demand(self) -> list[Pod]:
        """Those of the demand pool."""
        return [p for p in self.serving() if p.facts.pool == names.DEMAND]

    def demand_size(self) -> PoolSize | None:
        """The demand pool's size, None before its ReplicaSet was seen."""
        return self.sizes.get(self.route.demand_pool) if self.route else None

    def wanted(self, held: int) -> int:
        """Demand pods that the load needs."""
        assert self.route is not None
        executing = sum(p.in_use for p in self.demand())
        room = self.placement.room(warm=True)
        return scaling.desired_replicas(
            executing, held, room, self.route.max_concurrency_per_instance, self.route.max_concurrency
        )

    def wake(self, held: int) -> None:
        """`held` requests need places: takes back pods that were to go, then raises the demand pool."""
        size = self.demand_size()
        if size is None:
            return  # asked again when the ReplicaSet shows itself
        wanted = self.wanted(held)
        marked = sorted((p for p in self.demand() if p.marked), key=lambda p: (not p.usable, p.lowered, -_last_used(p)))
        missing = wanted - (size.replicas - sum(not p.lowered for p in marked))
        room = self.placement.room(warm=True) + self.placement.room(warm=False)
        for pod in marked:
            if missing > 0 or (
                pod.usable and room < held
            ):  # pods that do not answer count in `replicas`, but serve nobody
                self.unmark(pod)
                missing -= 1
                room += self.placement.per_instance - pod.in_use if pod.usable else 0
        if wanted > size.replicas:
            size.raised = self._clock()
            self._actuator.scale(size, wanted)

    def mark(self, pod: Pod) -> None:
        """The pod is to go: no new request."""
        pod.marked = True
        if pod.backend is not None:
            self.placement.remove(pod.backend)

    def unmark(self, pod: Pod) -> None:
        """The pod stays after all."""
        pod.marked = pod.lowered = False
        if pod.cost_wanted:
            self._actuator.cost(self.namespace, pod, 0)
        if pod.usable and pod.backend is not None:
            self.placement.add(pod.backend, warm=pod.facts.pool == names.WARM)

    # Trouble

    def cannot_start(self) -> PodFailure | None:
        """Why the endpoint cannot start at all, None while it may."""
        pods = list(self.serving())
        return (
            None if any(p.usable for p in pods) else outliers.cannot_start((p.facts, p.ping is not None) for p in pods)
        )

    def failure(self) -> PodFailure | None:
        """What keeps pods from starting, if anything is known."""
        size = self.demand_size()
        return next((p.facts.failure for p in self.serving() if p.facts.failure), size.failure if size else None)


def _last_used(pod: Pod) -> float:
    return pod.backend.last_used if pod.backend else 0.0
