"""One endpoint on this replica: who comes in, who waits, who goes where. The seam's `Desk` (calls.py); all of it plain method calls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from kindler.activator.endpoint.actuator import PoolActuator
from kindler.activator.endpoint.counters import Counters
from kindler.activator.endpoint.pod import Pod
from kindler.activator.endpoint.pools import PodPools
from kindler.activator.endpoint.requests import (
    Backend,
    Cause,
    ColdStart,
    ForwardingConfig,
    Outcome,
    PendingRequest,
    Purpose,
    Rejection,
)
from kindler.api import names
from kindler.api.route import Route
from kindler.api.stats import EndpointStats
from kindler.core.common.pods import PodFailure
from kindler.core.dataplane.admission import Admission

RETRY_AFTER = 1  # seconds that a throttled client should wait


@dataclass(frozen=True, slots=True)
class Identity:
    """Which object it is. `endpoint`: its SageMaker name. `created`: creationTimestamp, as text."""

    uid: str
    namespace: str
    name: str
    endpoint: str
    created: str


class RequestObserver(Protocol):
    """Who writes down what happens."""

    def cold_start(self, identity: Identity, pod: Pod, cold: ColdStart) -> None: ...

    def served(
        self,
        identity: Identity,
        request: PendingRequest,
        backend: Backend,
        outcome: Outcome,
        status: int,
        received: int,
        sent: int,
        placed: float,
        now: float,
    ) -> None: ...

    def rejected(self, identity: Identity, request: PendingRequest | None, rejection: Rejection) -> None: ...


class EndpointThrottler:
    """The state of one endpoint by its uid. Without a route it exists but does not serve; closed, it only finishes what is in flight."""

    def __init__(
        self, identity: Identity, actuator: PoolActuator, observer: RequestObserver, clock: Callable[[], float]
    ) -> None:
        self.identity = identity
        self.forwarding = ForwardingConfig(identity.endpoint, identity.namespace, "", b"/invocations", 60.0)
        self.pools = PodPools(identity.namespace, actuator, clock, self.settle)
        self.counts = Counters()
        self.unserved = f"Endpoint {identity.endpoint} is being created: it has no revision to serve yet."
        self.closed = False
        self._admission: Admission[PendingRequest, Backend] = Admission(0)
        self._observer = observer
        self._clock = clock
        self._serving = False

    # The wire's side

    def offer(self, request: PendingRequest) -> Backend | Rejection | None:
        """A place, a refusal, or None: it waits."""
        route, admission = self.pools.route, self._admission
        if route is None or self.closed:
            return self._rejection(request, self._absent())
        if request.purpose is Purpose.PING:
            return self.pools.usable() or self._rejection(request, Rejection(Cause.NOT_READY, self._state()))
        if admission.full:
            reason = f"Endpoint {self.forwarding.endpoint} has reached its maximum concurrency of {admission.limit}. Try again later."
            return self._rejection(request, Rejection(Cause.THROTTLED, reason, RETRY_AFTER))
        backend = None if admission.waiting else self.pools.placement.take()
        if backend is None:
            self.pools.wake(len(admission.waiting) + 1)
            self._serve()  # a pod that was to go may have come back: for those who wait already, then for this one
            backend = None if admission.waiting else self.pools.placement.take()
        if backend is None:
            return self._hold(request)
        admission.run(request, backend, self._clock())
        self._count(route, backend)
        return backend

    def gone(self, request: PendingRequest) -> None:
        """A held call's client left; it never reaches the model."""
        if self._admission.leave(request):
            self.counts.left()
            self._spent(request)

    def finished(
        self, request: PendingRequest, backend: Backend, outcome: Outcome, status: int, received: int, sent: int
    ) -> None:
        """The place is free; whoever waits longest gets it."""
        run = self._admission.done(request)
        if run is None:
            return  # a PING takes no place
        now = backend.last_used = self._clock()
        if outcome is Outcome.BROKE_OFF or outcome is Outcome.TIMED_OUT:
            self.pools.suspect(backend)
        elif self.pools.shaky:
            self.pools.shaky.pop(backend.uid, None)
        self.pools.placement.give_back(backend)
        self.counts.served(outcome, status, request.arrived, run[1], now, received, sent)
        self._observer.served(self.identity, request, backend, outcome, status, received, sent, run[1], now)
        if self._admission.waiting:
            self._serve()

    def unreachable(self, request: PendingRequest, backend: Backend) -> Backend | Rejection | None:
        """Nothing was sent to the pod: another place, or the call waits again before all others."""
        if request not in self._admission.running:
            return self._rejection(request, self._absent())
        self.pools.suspect(backend)
        self.pools.placement.give_back(backend)
        if self.closed:
            return self._give_up(request, self._absent())
        other = self.pools.placement.take()
        if other is None:
            self.pools.wake(len(self._admission.waiting) + 1)
            other = self.pools.placement.take()  # a pod that was to go may have come back
        if other is not None:
            self._admission.run(request, other, self._clock())
            self._serve()
            return other
        failure = self.pools.cannot_start()
        if failure is not None:
            return self._give_up(request, self._doom(failure))
        request.counted = True
        self._admission.wait_again(request)
        return None

    def rejected(self, request: PendingRequest | None, rejection: Rejection) -> None:
        """Counts an answer of ours that was decided elsewhere."""
        self.counts.rejected(rejection.cause)
        self._observer.rejected(self.identity, request, rejection)

    # The cluster's side

    def reroute(self, route: Route, seen_to_move: bool = True) -> None:
        """The route appeared or moved: held requests go to the new revision, those in flight finish where they are."""
        self.forwarding = ForwardingConfig(
            self.identity.endpoint,
            self.identity.namespace,
            route.variant_name,
            route.invocations_path.encode(),
            float(route.invocation_timeout_in_seconds),
        )
        self._admission.limit = route.max_concurrency
        self.pools.serve(route, seen_to_move)
        self.settle()

    def settle(self) -> None:
        """Pods or pools changed: serves who can be served, asks for what is missing, and tells those who can never be served."""
        self._serve()
        waiting = self._admission.waiting
        if not waiting or self.pools.route is None:
            return
        failure = self.pools.cannot_start()
        if failure is not None:
            self.dismiss(self._doom(failure))
            return
        self.pools.wake(len(waiting))
        self._serve()

    def expire(self, now: float) -> None:
        """Answers those who have waited for the whole startup time."""
        route, waiting = self.pools.route, self._admission.waiting
        while route is not None and waiting and now - waiting[0].arrived >= route.startup_timeout_in_seconds:
            request = waiting.popleft()
            failure = self.pools.failure()
            why = failure.message if failure else f"No pod answered {route.health_path}."
            reason = (
                f"Endpoint {self.forwarding.endpoint} did not start within {route.startup_timeout_in_seconds} s. {why}"
            )
            if self.pools.usable():
                reason = f"Endpoint {self.forwarding.endpoint} had no free place within {route.startup_timeout_in_seconds} s: its pods stayed busy."
            self._spent(request)
            request.reject(self._rejection(request, Rejection(Cause.START_TIMEOUT, reason)))

    def close(self) -> None:
        """The endpoint was deleted: who waits is told at once, what is in flight finishes."""
        self.closed = True
        self.pools.close()
        self.dismiss(self._absent())

    def dismiss(self, rejection: Rejection) -> None:
        """Answers all who wait."""
        for request in self._admission.dismiss():
            self._spent(request)
            request.reject(self._rejection(request, rejection))

    # Telling

    @property
    def held(self) -> int:
        return len(self._admission.waiting)

    @property
    def in_flight(self) -> int:
        return len(self._admission.running)

    def stats(self, owner: bool) -> EndpointStats:
        """What `/stats` says of this endpoint."""
        route, admission = self.pools.route, self._admission
        revision = route.revision if route else ""
        backends = [backend for backend, _ in admission.running.values()]
        older: dict[str, int] = {}
        for backend in backends:
            if backend.revision != revision:
                older[backend.revision] = older.get(backend.revision, 0) + 1
        warm = sum(backend.pool == names.WARM for backend in backends)
        totals = None
        if route is not None and route.warm_pool:
            totals = self.counts.totals(
                [request.arrived for requests in (admission.running, admission.waiting) for request in requests],
                self._clock(),
            )
        return EndpointStats(
            self.identity.uid,
            owner,
            revision,
            len(backends),
            self.held,
            warm,
            len(backends) - warm,
            older,
            self.pools.allocated(),
            totals,
        )

    # Inside

    def _hold(self, request: PendingRequest) -> Rejection | None:
        failure = self.pools.cannot_start()
        if failure is not None:
            return self._rejection(request, self._doom(failure))
        self._admission.wait(request)
        return None

    def _serve(self) -> None:
        """Gives free places to those who wait, in their order. A dispatch may end in `finished` and come back here: the outer loop goes on for it."""
        admission, pools = self._admission, self.pools
        if self._serving or not admission.waiting or pools.route is None:
            return
        self._serving = True
        try:
            while admission.waiting and (backend := pools.placement.take()) is not None:
                request = admission.run_next(backend, self._clock())
                if not request.counted:
                    self._count(pools.route, backend)
                self._warmed(request, backend)
                request.dispatch(backend)
        finally:
            self._serving = False

    def _warmed(self, request: PendingRequest, backend: Backend) -> None:
        """Did the call wait for this pod to start? Then it carries the phases, and the pod's cold start is told once."""
        pod = self.pools.pods.get(backend.uid)
        if pod is None or pod.ping is None or pod.ping < request.arrived:
            return
        request.cold = pod.cold_start(request.arrived)
        if not pod.announced:
            pod.announced = True
            self.counts.started(request.cold.phases())
            self._observer.cold_start(self.identity, pod, request.cold)

    def _count(self, route: Route, backend: Backend) -> None:
        """With a warm pool, also one of size 0: did the request fit into it? The size that the config names says nothing while it is being scaled.

        Once a request, by its first place: a pod that turns out not to be reachable was no lack of provisioned concurrency.
        """
        if route.warm_pool:
            if backend.pool == names.WARM:
                self.counts.provisioned += 1
            else:
                self.counts.spilled += 1

    def _spent(self, request: PendingRequest) -> None:
        """The call was in and ends without a pod's answer."""
        self.counts.in_vain += self._clock() - request.arrived

    def _give_up(self, request: PendingRequest, rejection: Rejection) -> Rejection:
        """The call had a place that could not be reached, and gets no other."""
        self._admission.done(request)
        self._spent(request)
        return self._rejection(request, rejection)

    def _rejection(self, request: PendingRequest, rejection: Rejection) -> Rejection:
        self.rejected(request, rejection)
        return rejection

    def _absent(self) -> Rejection:
        if self.closed:
            return Rejection(Cause.DELETED, f"Endpoint {self.identity.endpoint} was deleted.")
        return Rejection(Cause.CREATING, self.unserved, RETRY_AFTER)

    def _doom(self, failure: PodFailure) -> Rejection:
        return Rejection(Cause.CANNOT_START, f"Endpoint {self.identity.endpoint} cannot start: {failure.message}")

    def _state(self) -> str:
        size = self.pools.demand_size()
        failure = self.pools.failure()
        if failure is not None:
            return failure.message
        asleep = not any(True for _ in self.pools.serving()) and (size is None or not size.replicas)
        return (
            f"Endpoint {self.identity.endpoint} is asleep."
            if asleep
            else f"Endpoint {self.identity.endpoint} is starting."
        )
