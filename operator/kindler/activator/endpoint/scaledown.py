"""Carries out core.sleeping for one endpoint, gives up wedged pods, and keeps the deletion costs of warm pods: one round, called twice a second."""

from __future__ import annotations

from kindler.activator.endpoint.actuator import PoolActuator
from kindler.activator.endpoint.pod import Pod
from kindler.activator.endpoint.throttler import EndpointThrottler
from kindler.api import names
from kindler.core.dataplane import outliers, scaledown


def tick(throttler: EndpointThrottler, actuator: PoolActuator, now: float, going: bool = False) -> None:
    """Whatever time alone brings about for this endpoint. A process that is `going` puts nothing to sleep: what is idle here may be at work for another."""
    throttler.expire(now)
    pools, route = throttler.pools, throttler.pools.route
    if route is None or throttler.closed:
        return
    size = pools.demand_size()
    if size is not None:
        size.settle(now)
    if throttler.held:
        throttler.settle()  # events do the same at once; this is the net under them: nobody waits because one was lost or came at a bad moment
    if going or (not pools.pods and (size is None or not size.replicas)):
        return  # asleep: most endpoints, most of the time
    patience = max(
        route.startup_timeout_in_seconds, route.invocation_timeout_in_seconds
    )  # it may still work for a process that is gone
    for pod in list(pools.serving()):
        pools.probe(pod)  # a probe that broke begins anew
        if not pod.usable and outliers.is_stuck(pod.facts, pod.in_use, now - pod.silent_since, patience):
            actuator.delete(
                pools.namespace, pod, f"it has not answered {route.health_path} for {now - pod.silent_since:.0f} s"
            )
        elif pod.facts.pool == names.WARM and pod.backend is not None:
            actuator.cost(
                pools.namespace,
                pod,
                scaledown.warm_deletion_cost(pod.cost_wanted, pod.in_use, pod.backend.last_used, now),
            )
    _sleep(throttler, actuator, now)


def _sleep(throttler: EndpointThrottler, actuator: PoolActuator, now: float) -> None:
    pools, route = throttler.pools, throttler.pools.route
    size = pools.demand_size()
    if size is None or route is None:
        return
    pods = {p.facts.uid: p for p in pools.demand()}
    sleepers = tuple(_sleeper(p, route.startup_timeout_in_seconds) for p in pods.values())
    step = scaledown.decide(
        scaledown.DemandPool(size.replicas, size.raised, pools.wanted(throttler.held), sleepers),
        route.idle_timeout_in_seconds,
        now,
    )
    for uid in step.mark:
        pools.mark(pods[uid])
    for uid in step.unmark:
        pools.unmark(pods[uid])
    if step.replicas is not None:
        for uid in step.lowered:
            pods[uid].lowered = True
        actuator.scale(size, step.replicas)
    if len(step.lowered) < len(pods):  # straight to zero needs no costs
        for pod in pods.values():
            if pod.marked and not pod.lowered:
                actuator.cost(pools.namespace, pod, scaledown.LOW_COST)


def _sleeper(pod: Pod, startup: float) -> scaledown.Candidate:
    idle_since: float | None = None
    if pod.backend is None:
        cannot_start = pod.facts.failure is not None and pod.facts.failure.final
        idle_since = pod.created + (0 if cannot_start else startup)
    elif not pod.in_use:
        idle_since = pod.backend.last_used
    costed = pod.cost_since if pod.cost_written == scaledown.LOW_COST else None
    return scaledown.Candidate(pod.facts.uid, idle_since, pod.facts.ready, pod.marked, costed, pod.lowered)
