"""The tick of one endpoint, called twice a second: deadlines, scale-down, stuck pods and deletion costs of warm pods.

The decisions are in core.dataplane.scaledown and core.dataplane.outliers; this module applies them.
"""

from __future__ import annotations

from kindler.activator.endpoint.actuator import PoolActuator
from kindler.activator.endpoint.pod import Pod
from kindler.activator.endpoint.throttler import EndpointThrottler
from kindler.api import names
from kindler.api.route import Route
from kindler.core.dataplane import outliers, scaledown


def tick(throttler: EndpointThrottler, actuator: PoolActuator, now: float, draining: bool = False) -> None:
    """Does the work that depends only on time. `now` in monotonic seconds.

    A process that is `draining` scales nothing down, because a pod that is idle here may work for another process.
    """
    throttler.reject_overdue(now)
    pools, route = throttler.pools, throttler.pools.route
    if route is None or throttler.closed:
        return
    size = pools.demand_size()
    if size is not None:
        size.accept_observed(now)
    if throttler.held:
        # Each event calls this method at once. The tick repeats the call, because an event may be lost, or may be
        # ignored during the WATCH_ECHO_SECONDS after a write.
        throttler.serve_held()
    if draining or (not pools.pods and (size is None or not size.replicas)):
        return  # scaled to zero, which is the normal state of most endpoints
    _check_pods(throttler, actuator, route, now)
    _scale_down(throttler, actuator, route, now)


def _check_pods(throttler: EndpointThrottler, actuator: PoolActuator, route: Route, now: float) -> None:
    """Restarts probes that failed with an error, deletes stuck pods, updates the deletion costs of warm pods."""
    pools = throttler.pools
    # A pod that does not answer may still work on a request from an activator that has ended. Therefore the pod gets at
    # least the invocation timeout.
    timeout = max(route.startup_timeout_in_seconds, route.invocation_timeout_in_seconds)
    for pod in list(pools.serving_pods()):
        pools.probe(pod)
        unanswered = now - pod.unanswered_since
        if not pod.usable and outliers.is_stuck(pod.facts, pod.in_use, unanswered, timeout):
            reason = f"it has not answered {route.health_path} for {unanswered:.0f} s"
            actuator.delete_pod(pools.namespace, pod, reason)
        elif pod.facts.pool == names.WARM and pod.backend is not None:
            cost = scaledown.warm_deletion_cost(pod.desired_cost, pod.in_use, pod.backend.last_used, now)
            actuator.set_deletion_cost(pools.namespace, pod, cost)


def _scale_down(throttler: EndpointThrottler, actuator: PoolActuator, route: Route, now: float) -> None:
    pools = throttler.pools
    size = pools.demand_size()
    if size is None:
        return
    pods = {p.facts.uid: p for p in pools.demand_pods()}
    candidates = tuple(_candidate(p, route.startup_timeout_in_seconds) for p in pods.values())
    desired = pools.desired_replicas(throttler.held)
    pool = scaledown.DemandPool(size.replicas, size.raised_at, desired, candidates)
    step = scaledown.decide(pool, route.idle_timeout_in_seconds, now)
    for uid in step.mark:
        pools.mark(pods[uid])
    for uid in step.unmark:
        pools.unmark(pods[uid])
    if step.replicas is not None:
        for uid in step.remove:
            pods[uid].removing = True
        actuator.scale(size, step.replicas)
    # Deletion costs choose between pods. If all pods are removed, there is no choice, and no cost is written.
    if len(step.remove) < len(pods):
        for pod in pods.values():
            if pod.marked and not pod.removing:
                actuator.set_deletion_cost(pools.namespace, pod, scaledown.LOW_COST)


def _candidate(pod: Pod, startup_timeout: float) -> scaledown.Candidate:
    idle_since: float | None = None
    if pod.backend is None:
        cannot_start = pod.facts.failure is not None and pod.facts.failure.final
        idle_since = pod.created + (0 if cannot_start else startup_timeout)
    elif not pod.in_use:
        idle_since = pod.backend.last_used
    low_cost_since = pod.written_cost_since if pod.written_cost == scaledown.LOW_COST else None
    return scaledown.Candidate(pod.facts.uid, idle_since, pod.facts.ready, pod.marked, low_cost_since, pod.removing)
