"""Carries out core.sleeping for one endpoint, gives up wedged pods, and keeps the deletion costs of warm pods: one round, called twice a second."""

from __future__ import annotations

from kindler.activator.desk import EndpointDesk
from kindler.activator.hands import Hands
from kindler.activator.pods import Pod
from kindler.api import names
from kindler.core import sleeping, standing


def round_of(desk: EndpointDesk, hands: Hands, now: float, going: bool = False) -> None:
    """Whatever time alone brings about for this endpoint. A process that is `going` puts nothing to sleep: what is idle here may be at work for another."""
    desk.expire(now)
    pools, route = desk.pools, desk.pools.route
    if route is None or desk.closed:
        return
    size = pools.demand_size()
    if size is not None:
        size.settle(now)
    if desk.held:
        desk.settle()  # events do the same at once; this is the net under them: nobody waits because one was lost or came at a bad moment
    if going or (not pools.pods and (size is None or not size.replicas)):
        return  # asleep: most endpoints, most of the time
    patience = max(route.startup_timeout_in_seconds, route.invocation_timeout_in_seconds)  # it may still work for a process that is gone
    for pod in list(pools.serving()):
        pools.probe(pod)  # a probe that broke begins anew
        if not pod.usable and standing.wedged(pod.facts, pod.in_use, now - pod.silent_since, patience):
            hands.delete(pools.namespace, pod, f"it has not answered {route.health_path} for {now - pod.silent_since:.0f} s")
        elif pod.facts.pool == names.WARM and pod.place is not None:
            hands.cost(pools.namespace, pod, sleeping.warm_cost(pod.cost_wanted, pod.in_use, pod.place.last_used, now))
    _sleep(desk, hands, now)


def _sleep(desk: EndpointDesk, hands: Hands, now: float) -> None:
    pools, route = desk.pools, desk.pools.route
    size = pools.demand_size()
    if size is None or route is None:
        return
    pods = {p.facts.uid: p for p in pools.demand()}
    sleepers = tuple(_sleeper(p, route.startup_timeout_in_seconds) for p in pods.values())
    step = sleeping.step(sleeping.Pool(size.replicas, size.raised, pools.wanted(desk.held), sleepers), route.idle_timeout_in_seconds, now)
    for uid in step.choose:
        pools.choose(pods[uid])
    for uid in step.take_back:
        pools.take_back(pods[uid])
    if step.replicas is not None:
        for uid in step.lowered:
            pods[uid].lowered = True
        hands.scale(size, step.replicas)
    if len(step.lowered) < len(pods):  # straight to zero needs no costs
        for pod in pods.values():
            if pod.chosen and not pod.lowered:
                hands.cost(pools.namespace, pod, sleeping.LOW_COST)


def _sleeper(pod: Pod, startup: float) -> sleeping.Sleeper:
    idle_since: float | None = None
    if pod.place is None:
        hopeless = pod.facts.trouble is not None and pod.facts.trouble.final
        idle_since = pod.created + (0 if hopeless else startup)
    elif not pod.in_use:
        idle_since = pod.place.last_used
    costed = pod.cost_since if pod.cost_written == sleeping.LOW_COST else None
    return sleeping.Sleeper(pod.facts.uid, idle_since, pod.facts.ready, pod.chosen, costed, pod.lowered)
