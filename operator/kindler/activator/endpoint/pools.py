"""The pods of one endpoint: which pods take requests, how many pods the load needs, and which pods may be removed.

The states of a pod in this module:

    the watch shows the pod's IP -> probing -> first 200: usable, it is a backend
    pod deleted, container stopped, new IP, another revision in the route, a failed connection or a request timeout
        -> not usable -> probing again, if the pod may become usable

A Ready condition that becomes False never makes a pod unusable: only the events above do. Model pods have no readiness
probe either, because a container with one worker cannot answer pings while it works on a request.

Ready makes a pod usable in only one case: this process sees the route change to a revision whose pods are already
Ready. The controller has waited for these pods, and a request at that moment must not wait for a ping from us.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from kindler.activator.endpoint.actuator import PoolActuator, Probe
from kindler.activator.endpoint.pod import Pod
from kindler.activator.endpoint.requests import Backend
from kindler.activator.endpoint.size import PoolFacts, PoolSize
from kindler.api import names
from kindler.api.route import Route
from kindler.core.common.pods import PodFacts, PodFailure
from kindler.core.dataplane import outliers, scaling
from kindler.core.dataplane.placement import Placement

# Seconds for which a warm pod that answered before and does not answer now is assumed to be busy. During this time the
# pod still counts as allocated.
ASSUMED_BUSY_SECONDS: Final = 60.0


class PodPools:
    """The pods and ReplicaSets of one endpoint. Times in monotonic seconds.

    `on_usable` is called each time a ping makes a pod usable, even if the pod is marked for removal.
    """

    def __init__(
        self, namespace: str, actuator: PoolActuator, clock: Callable[[], float], on_usable: Callable[[], None]
    ) -> None:
        self.namespace = namespace
        self.route: Route | None = None
        self.placement: Placement[Backend] = Placement(1)
        self.pods: dict[str, Pod] = {}  # by uid
        self.sizes: dict[str, PoolSize] = {}  # by name of the ReplicaSet
        self.failures_in_a_row: dict[str, int] = {}  # pod uid -> failed requests since the last good response
        self._actuator = actuator
        self._clock = clock
        self._on_usable = on_usable

    # Changes in the cluster

    def set_route(self, route: Route, change_observed: bool = True) -> None:
        """Sends new requests to this route's revision. Pods of other revisions get no new requests.

        `change_observed`: False if the process has just started and did not see the change itself. The caller
        dispatches held requests afterwards, when all backends are known, because backends of the warm pool come first.
        """
        changed = self.route is None or self.route.revision != route.revision
        self.route = route
        if not changed:
            self.placement.limit(route.max_concurrency_per_instance)
            return
        self.placement = Placement(route.max_concurrency_per_instance)
        for pod in self.pods.values():
            if pod.facts.revision != route.revision:
                self._close(pod)
            elif change_observed and pod.facts.ready and pod.ping is None:
                self._make_usable(pod, pod.started)
            else:
                self.probe(pod)

    def update_pod(self, facts: PodFacts) -> None:
        """Updates the state of a pod that appeared or changed. The pod may be of any revision of the endpoint."""
        now = self._clock()
        pod = self.pods.get(facts.uid)
        if pod is None:
            pod = self.pods[facts.uid] = Pod(facts, now)
        else:
            before = pod.facts
            pod.update(facts, now)
            if before.ip is not None and before.ip != facts.ip:
                self._close(pod)
                pod.backend = None
            elif before.started != facts.started:
                pod.unanswered_since = now
                if before.started is not None:
                    self._make_unusable(pod)
        if pod.active:
            self.probe(pod)
        else:
            self._close(pod)

    def remove_pod(self, uid: str) -> None:
        """Removes a pod that is not in the cluster any more."""
        pod = self.pods.pop(uid, None)
        self.failures_in_a_row.pop(uid, None)
        if pod is not None:
            self._close(pod)

    def update_size(self, facts: PoolFacts) -> None:
        """Updates the size of a pool whose ReplicaSet appeared or changed."""
        size = self.sizes.get(facts.name)
        if size is None:
            size = self.sizes[facts.name] = PoolSize(self.namespace, facts.name, facts.replicas, self._clock())
        size.update(facts, self._clock())

    def remove_size(self, name: str) -> None:
        """Removes a deleted ReplicaSet. Drops its pending write: a new ReplicaSet of this name must not get it."""
        size = self.sizes.pop(name, None)
        if size is not None:
            size.requested = None

    def close(self) -> None:
        """The Endpoint was deleted. No pod takes new requests any more. Requests in flight finish."""
        for pod in self.pods.values():
            self._close(pod)
        for size in self.sizes.values():
            size.requested = None

    # Backends

    def eject(self, backend: Backend) -> None:
        """A connection to the pod failed, or a request timed out. The pod takes no request until a good ping."""
        pod = self.pods.get(backend.uid)
        if pod is None or pod.backend is not backend or not pod.usable:
            return
        self.failures_in_a_row[backend.uid] = self.failures_in_a_row.get(backend.uid, 0) + 1
        self._make_unusable(pod)
        self.probe(pod)

    def any_usable(self) -> Backend | None:
        """Any pod that answers, even if it is marked for removal."""
        return next((p.backend for p in self.serving_pods() if p.usable), None)

    def allocated(self) -> int:
        """How many requests the warm pods can run together: their used and their free slots.

        A pod counts if it answers, if it is Ready, or if it stopped answering less than ASSUMED_BUSY_SECONDS ago. Sizes
        are computed from this number. So the number includes a pod that is too busy to answer a ping, and a pod that
        was Ready before this process began.
        """
        if self.route is None:
            return 0
        since = self._clock() - ASSUMED_BUSY_SECONDS
        warm = (p for p in self.serving_pods() if p.facts.pool == names.WARM)
        return self.route.max_concurrency_per_instance * sum(
            p.usable or p.facts.ready or (p.backend is not None and p.unanswered_since > since) for p in warm
        )

    def probe(self, pod: Pod) -> None:
        """Starts to ping a pod that may become usable, unless a probe is already running."""
        route, facts = self.route, pod.facts
        if (
            route is None
            or facts.revision != route.revision
            or pod.usable
            or pod.probing
            or facts.ip is None
            or not pod.active
        ):
            return
        pod.probing = True
        delay = outliers.ejection_seconds(self.failures_in_a_row.get(facts.uid, 0))
        probe = Probe(route.port, route.health_path, delay, answered_before=pod.backend is not None)
        self._actuator.probe(pod, probe, self._on_ping)

    def _on_ping(self, pod: Pod) -> None:
        """A probe of the pod succeeded."""
        pod.probing = False
        if self._make_usable(pod, self._clock()):
            self._on_usable()

    def _make_usable(self, pod: Pod, first_ping: float | None) -> bool:
        """Makes a pod that answers usable. Returns False if the pod cannot serve the route any more.

        `first_ping`: the time to store if this is the pod's first good ping; None: now.
        """
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
            pod.ping = now if first_ping is None else first_ping
            pod.backend = Backend(
                facts.ip, route.port, facts.name, facts.uid, facts.pool, facts.revision, last_used=now
            )
        pod.backend.closing = False
        pod.usable = True
        if not pod.marked:
            self.placement.add(pod.backend, warm=facts.pool == names.WARM)
        return True

    def _make_unusable(self, pod: Pod) -> None:
        """Gives the pod no request until a good ping."""
        if not pod.usable or pod.backend is None:
            return
        pod.usable = False
        pod.unanswered_since = self._clock()
        self.placement.remove(pod.backend)
        self._actuator.close_idle(pod.backend)

    def _close(self, pod: Pod) -> None:
        """Makes the pod unusable, ends its probe, and keeps no idle connection to it."""
        self._make_unusable(pod)
        if pod.backend is not None:
            pod.backend.closing = True
            self._actuator.close_idle(pod.backend)
        pod.probing = False
        self._actuator.stop_probing(pod)

    # Sizes

    def serving_pods(self) -> Iterator[Pod]:
        """Active pods of the revision that the route names."""
        revision = self.route.revision if self.route else None
        return (p for p in self.pods.values() if p.facts.revision == revision and p.active)

    def demand_pods(self) -> list[Pod]:
        """Serving pods of the demand pool."""
        return [p for p in self.serving_pods() if p.facts.pool == names.DEMAND]

    def demand_size(self) -> PoolSize | None:
        """The demand pool's size; None until the watch has shown its ReplicaSet."""
        return self.sizes.get(self.route.demand_pool) if self.route else None

    def desired_replicas(self, held: int) -> int:
        """The number of demand pods that the load needs."""
        assert self.route is not None
        executing = sum(p.in_use for p in self.demand_pods())
        room = self.placement.room(warm=True)
        return scaling.desired_replicas(
            executing, held, room, self.route.max_concurrency_per_instance, self.route.max_concurrency
        )

    def scale_up(self, held: int) -> None:
        """`held` requests need slots: unmarks pods that are marked for removal, then increases the demand pool.

        Usable pods are unmarked first, because pods that do not answer count in `replicas`, but serve no request.
        """
        size = self.demand_size()
        if size is None:
            return  # serve_held repeats this when the watch shows the ReplicaSet
        desired = self.desired_replicas(held)
        marked = [p for p in self.demand_pods() if p.marked]
        marked.sort(key=lambda p: (not p.usable, p.removing, -_last_used(p)))
        missing = desired - (size.replicas - sum(not p.removing for p in marked))
        room = self.placement.room(warm=True) + self.placement.room(warm=False)
        for pod in marked:
            if missing > 0 or (pod.usable and room < held):
                self.unmark(pod)
                missing -= 1
                room += self.placement.per_instance - pod.in_use if pod.usable else 0
        if desired > size.replicas:
            size.raised_at = self._clock()
            self._actuator.scale(size, desired)

    def mark(self, pod: Pod) -> None:
        """Marks the pod for removal: it takes no new request."""
        pod.marked = True
        if pod.backend is not None:
            self.placement.remove(pod.backend)

    def unmark(self, pod: Pod) -> None:
        """The pod will not be removed. It takes requests again."""
        pod.marked = pod.removing = False
        if pod.desired_cost:
            self._actuator.set_deletion_cost(self.namespace, pod, 0)
        if pod.usable and pod.backend is not None:
            self.placement.add(pod.backend, warm=pod.facts.pool == names.WARM)

    # Failures

    def cannot_start(self) -> PodFailure | None:
        """Why no pod of the endpoint can start; None while a pod answers or may still start."""
        pods = list(self.serving_pods())
        if any(p.usable for p in pods):
            return None
        return outliers.cannot_start((p.facts, p.ping is not None) for p in pods)

    def failure(self) -> PodFailure | None:
        """The first known failure of a pod or of the demand pool."""
        size = self.demand_size()
        return next((p.facts.failure for p in self.serving_pods() if p.facts.failure), size.failure if size else None)


def _last_used(pod: Pod) -> float:
    return pod.backend.last_used if pod.backend else 0.0
