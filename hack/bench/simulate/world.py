"""One endpoint in virtual time: pods start and go, requests are admitted, placed, held, answered or throttled.

What is decided, the product decides: who comes in (core/admission), which pod takes a request (core/placement), how many demand pods the load needs
(core/scaling), the bounds in force (core/bounds), the size that follows a target (core/tracking). What is left here is time: a heap of what happens next.

Simpler than a cluster: a pod is usable `cold_start` seconds after it was asked for; there is always room for it; idle warm pods go before busy ones, and busy
ones finish what they have.
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
from kindler.core import autoscaler, bounds, scaling
from kindler.core.admission import Admission
from kindler.core.placement import Placement
from kindler.core.tracking import History, Rules, Tracked, replicas

SYNC: Final = 15.0  # seconds between the looks of a HorizontalPodAutoscaler
AVERAGE: Final = 4  # looks that a one-minute average spans
SAMPLE: Final = 60.0  # seconds between points of the plot


@dataclass(frozen=True, slots=True)
class Limits:
    """Of the endpoint configuration, and how long a pod needs to start."""

    memory_gb: float = 2.0
    max_concurrency: int = 80
    per_instance: int = 1
    idle_timeout: float = 300.0
    cold_start: float = 8.0


@dataclass(frozen=True, slots=True)
class Arm:
    """A way to provision: `units` at the start, which stay without a `target` (an entry of spec.autoscaling)."""

    name: str
    units: int = 0
    target: ScalableTarget | None = None


@dataclass(slots=True, eq=False)
class Pod:
    """`in_use`: requests in it. `usable`: it has answered. `going`: it takes none any more."""

    warm: bool
    born: float
    in_use: int = 0
    usable: bool = False
    going: bool = False
    idle_since: float = 0.0


@dataclass(slots=True)
class Counts:
    """Each request is in exactly one of `warm`, `spilled`, `throttled`. `cold`: those that waited for a pod. Pods count in GB x seconds that they stood."""

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
    """One point of the plot: the last minute's average load, and pods."""

    at: float
    load: float
    warm: int
    demand: int


class World:
    """Runs one trace through one arm: `World(trace, limits, arm).run()`."""

    def __init__(self, trace: Trace, limits: Limits, arm: Arm) -> None:
        self.trace, self.limits, self.arm = trace, limits, arm
        self.now = 0.0
        self.counts = Counts()
        self.samples: list[Sample] = []
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._admission: Admission[Request, Pod] = Admission(limits.max_concurrency)
        self._placement: Placement[Pod] = Placement(limits.per_instance)
        self._pods: dict[bool, dict[Pod, None]] = {True: {}, False: {}}  # warm or not; the oldest first
        self._load_seconds, self._load_since = 0.0, 0.0
        self._marks: deque[float] = deque(maxlen=AVERAGE + 1)  # load seconds at the last looks
        self._history: History = ()
        self._force: bounds.InForce | None = None

    def run(self) -> Counts:
        """Until all are answered and the span is over; then every pod that still stands is counted to its end."""
        self._begin()
        arrivals = iter(self.trace.requests)
        request = next(arrivals, None)
        while request is not None or self._heap:
            if request is not None and (not self._heap or request.at <= self._heap[0][0]):
                self._forward(request.at)
                self._arrive(request)
                request = next(arrivals, None)
            else:
                at, _, happen = heapq.heappop(self._heap)
                self._forward(at)
                happen()
        self._forward(max(self.now, self.trace.span))
        for pod in [*self._pods[True], *self._pods[False]]:
            self._account(pod)
        return self.counts

    # Time

    def _forward(self, at: float) -> None:
        self._load_seconds += (at - self._load_since) * self._load
        self.now = self._load_since = at

    def _after(self, seconds: float, happen: Callable[[], None]) -> None:
        heapq.heappush(self._heap, (self.now + seconds, next(self._order), happen))

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
            self._raise()
            return
        self._admission.run(request, pod, self.now)
        self._serve(request, pod)

    def _serve(self, request: Request, pod: Pod) -> None:
        self.counts.waits.append(self.now - request.at)
        self.counts.cold += self.now > request.at
        self.counts.warm += pod.warm
        self.counts.spilled += not pod.warm
        self.counts.busy_gb_seconds += request.seconds * self.limits.memory_gb / self.limits.per_instance
        self._after(request.seconds, lambda: self._answered(request, pod))

    def _answered(self, request: Request, pod: Pod) -> None:
        self._admission.done(request)
        self._placement.give_back(pod)
        pod.idle_since = self.now
        if pod.going:
            self._leave(pod)
        elif not self._admission.waiting and not pod.warm and not pod.in_use:
            self._after(self.limits.idle_timeout, lambda: self._sleep(pod))
        self._let_in()

    def _let_in(self) -> None:
        while self._admission.waiting and (pod := self._placement.take()) is not None:
            request = self._admission.run_next(pod, self.now)
            self._serve(request, pod)

    # Pods

    def _raise(self) -> None:
        """The demand pool, to what the load needs."""
        executing = sum(pod.in_use for pod in self._pods[False])
        limits = self.limits
        wanted = scaling.wanted(
            executing,
            len(self._admission.waiting),
            self._placement.room(warm=True),
            limits.per_instance,
            limits.max_concurrency,
        )
        for _ in range(wanted - len(self._pods[False])):
            self._start(warm=False, after=limits.cold_start)

    def _start(self, *, warm: bool, after: float) -> None:
        pod = Pod(warm, self.now)
        self._pods[warm][pod] = None
        self.counts.starts += 1
        self._after(after, lambda: self._ready(pod))

    def _ready(self, pod: Pod) -> None:
        if pod.going:
            return
        pod.usable, pod.idle_since = True, self.now
        self._placement.add(pod, pod.warm)
        self._let_in()
        if not pod.warm and not pod.in_use:
            self._after(self.limits.idle_timeout, lambda: self._sleep(pod))

    def _sleep(self, pod: Pod) -> None:
        if not pod.going and not pod.in_use and self.now - pod.idle_since >= self.limits.idle_timeout:
            self._leave(pod)

    def _leave(self, pod: Pod) -> None:
        """Takes no more; is gone once it has answered what it has."""
        pod.going = True
        self._placement.remove(pod)
        if not pod.in_use and pod in self._pods[pod.warm]:
            self._account(pod)
            del self._pods[pod.warm][pod]

    def _account(self, pod: Pod) -> None:
        stood = (self.now - pod.born) * self.limits.memory_gb
        if pod.warm:
            self.counts.warm_gb_seconds += stood
        else:
            self.counts.demand_gb_seconds += stood

    # The warm pool

    def _begin(self) -> None:
        target = self.arm.target
        size = self._instances(self.arm.units)
        if target is not None:
            low, high = self._bounds(target)
            size = min(max(size, low), high)
        for _ in range(size):
            self._start(warm=True, after=0.0)  # filled before the endpoint is in service
        self._after(0.0, self._look)
        self._after(SAMPLE, self._sample)

    def _look(self) -> None:
        """As an HPA does, each 15 s; and the controller at each moment of a schedule."""
        self._marks.append(self._load_seconds)
        if self.arm.target is not None:
            self._size(self.arm.target)
        if self.now + SYNC < self.trace.span:
            self._after(SYNC, self._look)

    def _size(self, target: ScalableTarget) -> None:
        low, high = self._bounds(target)
        policies = target.scaling_policies or ()
        standing = sum(not pod.going for pod in self._pods[True])
        if not policies:
            self._resize(min(max(standing, low), high))
            return
        rules: Rules = autoscaler.rules_of(target, policies, low, high)
        average = (self._marks[-1] - self._marks[0]) / (SYNC * AVERAGE)
        loads = [
            Tracked(average, p.target_tracking_scaling_policy_configuration.target_value * self.limits.per_instance)
            for p in policies
        ]
        size, self._history = replicas(loads, standing, rules, self._history, self.now)
        self._resize(size)

    def _bounds(self, target: ScalableTarget) -> tuple[int, int]:
        """In pods, in force now; decided anew at each moment of a schedule, which is also a look."""
        epoch = self.trace.midnight + self.now
        if self._force is None or (self._force.next is not None and epoch >= self._force.next.at):
            memory = None if self._force is None else self._force.memory
            self._force = bounds.in_force(target, memory, self.trace.midnight, epoch)
            if self._force.next is not None and (again := self._force.next.at - self.trace.midnight) < self.trace.span:
                self._after(again - self.now, lambda: self._size(target))
        found = self._force.bounds
        most = self.limits.max_concurrency
        return self._instances(min(found.minimum, most)), self._instances(min(found.maximum, most))

    def _resize(self, size: int) -> None:
        standing = [pod for pod in self._pods[True] if not pod.going]
        for _ in range(size - len(standing)):
            self._start(warm=True, after=self.limits.cold_start)
        if size < len(standing):
            for pod in sorted(standing, key=_goes_first)[: len(standing) - size]:
                self._leave(pod)

    def _instances(self, units: int) -> int:
        return math.ceil(units / self.limits.per_instance)

    def _sample(self) -> None:
        looks = max(1, len(self._marks) - 1)
        load = (self._marks[-1] - self._marks[0]) / (SYNC * looks)
        self.samples.append(Sample(self.now, load, len(self._pods[True]), len(self._pods[False])))
        if self.now + SAMPLE <= self.trace.span:
            self._after(SAMPLE, self._sample)


def _goes_first(pod: Pod) -> tuple[bool, bool, float]:
    """As a ReplicaSet takes them: not ready ones, then (by their deletion cost) idle ones, the longest idle first."""
    return pod.usable, pod.in_use > 0, pod.idle_since
