"""One endpoint in virtual time: pods start and end; requests are admitted, placed, held, served or throttled.

The product's own functions decide. Those of core/dataplane decide which requests are admitted, which pod takes a
request and how many demand pods the load needs. Those of core/autoscaling decide which bounds apply and which size
follows a target. This module simulates only time: it keeps future events in a heap.

The simulation is simpler than a cluster. A pod is ready `cold_start` seconds after it was created. The cluster always
has room for it. When a warm pool shrinks, idle pods are removed before busy pods. Busy pods complete their requests.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from hack.bench.simulate.trace import Request, Trace
from kindler.api.autoscaling import ScalableTarget
from kindler.core.autoscaling import bounds, hpa
from kindler.core.autoscaling.tracking import History, Rules, Tracked, replicas
from kindler.core.dataplane import scaling
from kindler.core.dataplane.admission import Admission
from kindler.core.dataplane.placement import Placement

SYNC: Final = 15.0  # sync period of a HorizontalPodAutoscaler, in seconds
AVERAGE: Final = 4  # sync periods in a one-minute average
SAMPLE: Final = 60.0  # seconds between points of the figure


@dataclass(frozen=True, slots=True)
class Limits:
    """Settings of the endpoint config, and `cold_start`: the seconds that a pod needs to start."""

    memory_gb: float = 2.0
    max_concurrency: int = 80
    per_instance: int = 1
    idle_timeout: float = 300.0
    cold_start: float = 8.0


@dataclass(frozen=True, slots=True)
class Arm:
    """A way to provision. `units`: the size at the start.

    `target`: an entry of spec.autoscaling; None: the size never changes.
    """

    name: str
    units: int = 0
    target: ScalableTarget | None = None


@dataclass(slots=True, eq=False)
class Pod:
    """A pod. `in_use`: its current requests. `ready`: it has started. `draining`: it gets no new requests."""

    warm: bool
    born: float
    in_use: int = 0
    ready: bool = False
    draining: bool = False
    idle_since: float = 0.0


@dataclass(slots=True)
class Counts:
    """Totals. Each request counts in exactly one of `warm`, `spilled` and `throttled`.

    `cold`: requests that waited for a pod. `waits`: how many seconds each served request waited. Pods count in GB x
    seconds, from their creation to their end; `busy` counts only the time in which they served requests.
    """

    warm: int = 0
    spilled: int = 0
    throttled: int = 0
    cold: int = 0
    starts: int = 0
    waits: list[float] = field(default_factory=list)
    warm_gb_seconds: float = 0.0
    demand_gb_seconds: float = 0.0
    busy_gb_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Sample:
    """One point of the figure: the average load of the last minute, and the number of pods."""

    at: float
    load: float
    warm: int
    demand: int


class World:
    """Runs one trace through one arm: `World(trace, limits, arm).run()`. Times are seconds after the trace's start."""

    def __init__(self, trace: Trace, limits: Limits, arm: Arm) -> None:
        self.trace, self.limits, self.arm = trace, limits, arm
        self.now = 0.0
        self.counts = Counts()
        self.samples: list[Sample] = []
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._admission: Admission[Request, Pod] = Admission(limits.max_concurrency)
        self._placement: Placement[Pod] = Placement(limits.per_instance)
        self._pods: dict[bool, dict[Pod, None]] = {True: {}, False: {}}  # True: warm pods; the oldest first
        self._load_seconds, self._load_since = 0.0, 0.0
        self._marks: deque[float] = deque(maxlen=AVERAGE + 1)  # load seconds at the last syncs
        self._history: History = ()
        self._bounds_now: bounds.BoundsInForce | None = None

    def run(self) -> Counts:
        """Runs until all requests are served or throttled and the span is over. Then counts the remaining pods."""
        self._begin()
        arrivals = iter(self.trace.requests)
        request = next(arrivals, None)
        while request is not None or self._heap:
            if request is not None and (not self._heap or request.at <= self._heap[0][0]):
                self._forward(request.at)
                self._arrive(request)
                request = next(arrivals, None)
            else:
                at, _, event = heapq.heappop(self._heap)
                self._forward(at)
                event()
        self._forward(max(self.now, self.trace.span))
        for pod in [*self._pods[True], *self._pods[False]]:
            self._account(pod)
        return self.counts

    # Time

    def _forward(self, at: float) -> None:
        self._load_seconds += (at - self._load_since) * self._load
        self.now = self._load_since = at

    def _after(self, seconds: float, event: Callable[[], None]) -> None:
        heapq.heappush(self._heap, (self.now + seconds, next(self._order), event))

    @property
    def _load(self) -> int:
        return len(self._admission.running) + len(self._admission.waiting)

    # Requests

    def _arrive(self, request: Request) -> None:
        if self._admission.full:
            self.counts.throttled += 1
            return
        pod = self._placement.take()
        if pod is None:
            self._admission.wait(request)
            self._scale_demand()
            return
        self._admission.run(request, pod, self.now)
        self._serve(request, pod)

    def _serve(self, request: Request, pod: Pod) -> None:
        self.counts.waits.append(self.now - request.at)
        self.counts.cold += self.now > request.at
        self.counts.warm += pod.warm
        self.counts.spilled += not pod.warm
        self.counts.busy_gb_seconds += request.seconds * self.limits.memory_gb / self.limits.per_instance
        self._after(request.seconds, lambda: self._complete(request, pod))

    def _complete(self, request: Request, pod: Pod) -> None:
        self._admission.done(request)
        self._placement.give_back(pod)
        pod.idle_since = self.now
        if pod.draining:
            self._remove(pod)
        elif not self._admission.waiting and not pod.warm and not pod.in_use:
            self._after(self.limits.idle_timeout, lambda: self._scale_down(pod))
        self._place_held()

    def _place_held(self) -> None:
        """Gives held requests to pods with free slots."""
        while self._admission.waiting and (pod := self._placement.take()) is not None:
            request = self._admission.run_next(pod, self.now)
            self._serve(request, pod)

    # Pods

    def _scale_demand(self) -> None:
        """Adds demand pods up to the number that the load needs."""
        executing = sum(pod.in_use for pod in self._pods[False])
        held = len(self._admission.waiting)
        limits = self.limits
        warm_room = self._placement.room(warm=True)
        desired = scaling.desired_replicas(executing, held, warm_room, limits.per_instance, limits.max_concurrency)
        for _ in range(desired - len(self._pods[False])):
            self._start(warm=False, after=limits.cold_start)

    def _start(self, *, warm: bool, after: float) -> None:
        pod = Pod(warm, self.now)
        self._pods[warm][pod] = None
        self.counts.starts += 1
        self._after(after, lambda: self._become_ready(pod))

    def _become_ready(self, pod: Pod) -> None:
        if pod.draining:
            return
        pod.ready, pod.idle_since = True, self.now
        self._placement.add(pod, pod.warm)
        self._place_held()
        if not pod.warm and not pod.in_use:
            self._after(self.limits.idle_timeout, lambda: self._scale_down(pod))

    def _scale_down(self, pod: Pod) -> None:
        if not pod.draining and not pod.in_use and self.now - pod.idle_since >= self.limits.idle_timeout:
            self._remove(pod)

    def _remove(self, pod: Pod) -> None:
        """Sends no new requests to the pod. The pod ends when it has completed its current requests."""
        pod.draining = True
        self._placement.remove(pod)
        if not pod.in_use and pod in self._pods[pod.warm]:
            self._account(pod)
            del self._pods[pod.warm][pod]

    def _account(self, pod: Pod) -> None:
        gb_seconds = (self.now - pod.born) * self.limits.memory_gb
        if pod.warm:
            self.counts.warm_gb_seconds += gb_seconds
        else:
            self.counts.demand_gb_seconds += gb_seconds

    # The warm pool

    def _begin(self) -> None:
        target = self.arm.target
        size = self._instances(self.arm.units)
        if target is not None:
            low, high = self._bounds(target)
            size = min(max(size, low), high)
        for _ in range(size):
            self._start(warm=True, after=0.0)  # the pool is full before the endpoint is in service
        self._after(0.0, self._sync)
        self._after(SAMPLE, self._sample)

    def _sync(self) -> None:
        """Scales the warm pool every 15 s, as an HPA does. Scheduled actions also scale at their time (`_bounds`)."""
        self._marks.append(self._load_seconds)
        if self.arm.target is not None:
            self._scale_warm(self.arm.target)
        if self.now + SYNC < self.trace.span:
            self._after(SYNC, self._sync)

    def _scale_warm(self, target: ScalableTarget) -> None:
        low, high = self._bounds(target)
        policies = target.scaling_policies or ()
        current = sum(not pod.draining for pod in self._pods[True])
        if not policies:
            self._resize(min(max(current, low), high))
            return
        rules: Rules = hpa.rules_of(target, policies, low, high)
        average = (self._marks[-1] - self._marks[0]) / (SYNC * AVERAGE)
        targets = [p.target_tracking_scaling_policy_configuration.target_value for p in policies]
        loads = [Tracked(average, value * self.limits.per_instance) for value in targets]
        size, self._history = replicas(loads, current, rules, self._history, self.now)
        self._resize(size)

    def _bounds(self, target: ScalableTarget) -> tuple[int, int]:
        """The bounds that apply now, in pods. At the next scheduled action, computes the bounds again and scales."""
        epoch = self.trace.midnight + self.now
        force = self._bounds_now
        if force is None or (force.next is not None and epoch >= force.next.at):
            memory = None if force is None else force.memory
            self._bounds_now = force = bounds.bounds_in_force(target, memory, self.trace.midnight, epoch)
            if force.next is not None and (at := force.next.at - self.trace.midnight) < self.trace.span:
                self._after(at - self.now, lambda: self._scale_warm(target))
        most = self.limits.max_concurrency
        found = force.bounds
        return self._instances(min(found.minimum, most)), self._instances(min(found.maximum, most))

    def _resize(self, size: int) -> None:
        current = [pod for pod in self._pods[True] if not pod.draining]
        for _ in range(size - len(current)):
            self._start(warm=True, after=self.limits.cold_start)
        if size < len(current):
            for pod in sorted(current, key=_removal_order)[: len(current) - size]:
                self._remove(pod)

    def _instances(self, units: int) -> int:
        return math.ceil(units / self.limits.per_instance)

    def _sample(self) -> None:
        periods = max(1, len(self._marks) - 1)
        load = (self._marks[-1] - self._marks[0]) / (SYNC * periods)
        self.samples.append(Sample(self.now, load, len(self._pods[True]), len(self._pods[False])))
        if self.now + SAMPLE <= self.trace.span:
            self._after(SAMPLE, self._sample)


def _removal_order(pod: Pod) -> tuple[bool, bool, float]:
    """Sorts pods in the order in which a ReplicaSet removes them.

    First the pods that are not ready, then (by deletion cost) idle pods, the longest idle pod first.
    """
    return pod.ready, pod.in_use > 0, pod.idle_since
