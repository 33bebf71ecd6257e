"""EndpointThrottler: admits and holds the requests of one endpoint that this activator gets, and places them on pods.

The wire calls it for each request, as requests.py describes. The directory calls it for each change in the cluster, and
the tick calls it twice a second. All calls are plain method calls that never await.
"""

from __future__ import annotations

from collections.abc import Callable

from kindler.activator.endpoint.actuator import PoolActuator
from kindler.activator.endpoint.counters import Counters
from kindler.activator.endpoint.pools import PodPools
from kindler.activator.endpoint.records import FinishedRequest, Identity, RejectedRequest, RequestObserver
from kindler.activator.endpoint.requests import (
    Backend,
    Cause,
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

RETRY_AFTER_SECONDS = 1
# Creates a NamedTuple without its __new__, which is a slow Python function. This saves 0.2 us per request.
_new_record = tuple.__new__


class EndpointThrottler:
    """The state of one Endpoint object (one uid).

    Without a route it rejects all requests. After `close` it rejects new requests, and requests in flight finish.
    `observers` get every finished and rejected request. The endpoint's own `counters` are the first observer.
    """

    def __init__(
        self,
        identity: Identity,
        actuator: PoolActuator,
        observers: tuple[RequestObserver, ...],
        clock: Callable[[], float],
    ) -> None:
        self.identity = identity
        self.forwarding = ForwardingConfig(identity.endpoint, identity.namespace, "", b"/invocations", 60.0)
        self.pools = PodPools(identity.namespace, actuator, clock, self.serve_held)
        self.counters = Counters()
        self.no_route_reason = f"Endpoint {identity.endpoint} is being created: it has no revision to serve yet."
        self.closed = False
        self._admission: Admission[PendingRequest, Backend] = Admission(0)
        self._observers: tuple[RequestObserver, ...] = (self.counters, *observers)
        self._clock = clock
        self._dispatching = False

    # Called by the wire

    def offer(self, request: PendingRequest) -> Backend | Rejection | None:
        """Decides about a new request: a backend, a rejection, or None (it is held)."""
        route, admission = self.pools.route, self._admission
        if route is None or self.closed:
            return self._reject(request, self._no_route_rejection())
        if request.purpose is Purpose.PING:
            return self.pools.any_usable() or self._reject(
                request, Rejection(Cause.NOT_READY, self._not_ready_reason())
            )
        if admission.full:
            reason = (
                f"Endpoint {self.forwarding.endpoint} has reached its maximum concurrency of {admission.limit}. "
                "Try again later."
            )
            return self._reject(request, Rejection(Cause.THROTTLED, reason, RETRY_AFTER_SECONDS))
        backend = None if admission.waiting else self.pools.placement.take()
        if backend is None:
            self.pools.scale_up(len(admission.waiting) + 1)
            # scale_up may have made marked pods usable again. Their slots belong first to the held requests, then to
            # this request.
            self._dispatch_held()
            backend = None if admission.waiting else self.pools.placement.take()
        if backend is None:
            return self._hold(request)
        admission.run(request, backend, self._clock())
        if route.warm_pool:
            self._count_placement(backend)
        return backend

    def gone(self, request: PendingRequest) -> None:
        """Drops a held request whose client left. The request never reaches the model."""
        if self._admission.leave(request):
            self.counters.client_left()
            self._count_wasted_time(request)

    def finished(
        self, request: PendingRequest, backend: Backend, outcome: Outcome, status: int, received: int, sent: int
    ) -> None:
        """A placed request ended. Publishes its record, and gives the free slot to the request that waits longest."""
        run = self._admission.done(request)
        if run is None:
            return  # a PING takes no slot
        pools = self.pools
        now = backend.last_used = self._clock()
        if outcome is Outcome.ANSWERED or outcome is Outcome.ABANDONED:
            if pools.failures_in_a_row:
                pools.failures_in_a_row.pop(backend.uid, None)
        else:
            pools.eject(backend)
        pools.placement.give_back(backend)
        values = (
            self.identity, request.request_id, backend, outcome, status, received, sent, request.arrived, run[1], now
        )  # fmt: skip
        record = _new_record(FinishedRequest, values)
        for observer in self._observers:
            observer.finished(record)
        if self._admission.waiting:
            self._dispatch_held()

    def unreachable(self, request: PendingRequest, backend: Backend) -> Backend | Rejection | None:
        """The connect failed and nothing was sent.

        Returns another backend, a rejection, or None (the request is held again, at the front).
        """
        if request not in self._admission.running:
            return self._reject(request, self._no_route_rejection())
        self.pools.eject(backend)
        self.pools.placement.give_back(backend)
        if self.closed:
            return self._reject_placed(request, self._no_route_rejection())
        other = self.pools.placement.take()
        if other is None:
            self.pools.scale_up(len(self._admission.waiting) + 1)
            other = self.pools.placement.take()  # scale_up may have made marked pods usable again
        if other is not None:
            self._admission.run(request, other, self._clock())
            self._dispatch_held()
            return other
        failure = self.pools.cannot_start()
        if failure is not None:
            return self._reject_placed(request, self._cannot_start_rejection(failure))
        request.counted = True
        self._admission.wait_again(request)
        return None

    def rejected(self, request: PendingRequest, rejection: Rejection) -> None:
        """Publishes a rejection. The wire calls it for the rejections that the wire decides itself."""
        record = RejectedRequest(self.identity, request.request_id, rejection, request.arrived, self._clock())
        for observer in self._observers:
            observer.rejected(record)

    # Called for changes in the cluster, and by the tick

    def reroute(self, route: Route, change_observed: bool = True) -> None:
        """The route appeared or changed.

        Held requests go to the new revision. Requests in flight finish on the old revision.

        `change_observed`: see PodPools.set_route.
        """
        self.forwarding = ForwardingConfig(
            self.identity.endpoint,
            self.identity.namespace,
            route.variant_name,
            route.invocations_path.encode(),
            float(route.invocation_timeout_in_seconds),
        )
        self._admission.limit = route.max_concurrency
        self.pools.set_route(route, change_observed)
        self.serve_held()

    def serve_held(self) -> None:
        """Dispatches held requests, and scales up for the requests that stay held.

        Rejects all held requests if no pod can start. Call it after each change of pods or pools.
        """
        self._dispatch_held()
        waiting = self._admission.waiting
        if not waiting or self.pools.route is None:
            return
        failure = self.pools.cannot_start()
        if failure is not None:
            self.reject_all_held(self._cannot_start_rejection(failure))
            return
        self.pools.scale_up(len(waiting))
        self._dispatch_held()

    def reject_overdue(self, now: float) -> None:
        """Rejects requests that have been held for the whole startup timeout."""
        route, waiting = self.pools.route, self._admission.waiting
        while route is not None and waiting and now - waiting[0].arrived >= route.startup_timeout_in_seconds:
            request = waiting.popleft()
            name, seconds = self.forwarding.endpoint, route.startup_timeout_in_seconds
            if self.pools.any_usable():
                reason = f"Endpoint {name} had no free slot within {seconds} s: its pods stayed busy."
            else:
                failure = self.pools.failure()
                detail = failure.message if failure else f"No pod answered {route.health_path}."
                reason = f"Endpoint {name} did not start within {seconds} s. {detail}"
            self._count_wasted_time(request)
            request.reject(self._reject(request, Rejection(Cause.START_TIMEOUT, reason)))

    def reject_all_held(self, rejection: Rejection) -> None:
        """Rejects every held request."""
        for request in self._admission.clear_queue():
            self._count_wasted_time(request)
            request.reject(self._reject(request, rejection))

    def close(self) -> None:
        """The Endpoint was deleted. Rejects held requests at once. Requests in flight finish."""
        self.closed = True
        self.pools.close()
        self.reject_all_held(self._no_route_rejection())

    # Read by metrics and /stats

    @property
    def held(self) -> int:
        return len(self._admission.waiting)

    @property
    def in_flight(self) -> int:
        return len(self._admission.running)

    def stats(self, owner: bool) -> EndpointStats:
        """The entry of this endpoint in `/stats`."""
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
            arrivals = [request.arrived for part in (admission.running, admission.waiting) for request in part]
            totals = self.counters.totals(arrivals, self._clock())
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

    # Internal

    def _hold(self, request: PendingRequest) -> Rejection | None:
        failure = self.pools.cannot_start()
        if failure is not None:
            return self._reject(request, self._cannot_start_rejection(failure))
        self._admission.wait(request)
        return None

    def _dispatch_held(self) -> None:
        """Gives free slots to held requests, in their order.

        A dispatch may call `finished`, which calls this method again. Then the outer loop does the work of that call.
        """
        admission, pools = self._admission, self.pools
        if self._dispatching or not admission.waiting or pools.route is None:
            return
        self._dispatching = True
        try:
            while admission.waiting and (backend := pools.placement.take()) is not None:
                request = admission.run_next(backend, self._clock())
                if pools.route.warm_pool and not request.counted:
                    self._count_placement(backend)
                self._record_cold_start(request, backend)
                request.dispatch(backend)
        finally:
            self._dispatching = False

    def _record_cold_start(self, request: PendingRequest, backend: Backend) -> None:
        """Stores the phases of the pod's start in a request that waited for it. Observers get them once per pod."""
        pod = self.pools.pods.get(backend.uid)
        if pod is None or pod.ping is None or pod.ping < request.arrived:
            return
        request.cold = pod.cold_start(request.arrived)
        if not pod.cold_start_reported:
            pod.cold_start_reported = True
            for observer in self._observers:
                observer.cold_start(self.identity, pod.facts.name, request.cold)

    def _count_placement(self, backend: Backend) -> None:
        """Counts whether a request fitted into the warm pool. Call it only if the route has one, even of size 0.

        The pool of the pod that took the request decides. The size in the config cannot decide, because it is not the
        actual size while the pool is scaled. A request is counted once, at its first placement, because an unreachable
        pod does not mean that provisioned concurrency is missing.
        """
        if backend.pool == names.WARM:
            self.counters.provisioned += 1
        else:
            self.counters.spilled += 1

    def _count_wasted_time(self, request: PendingRequest) -> None:
        """Counts the time of an admitted request that ends without a response from a pod."""
        self.counters.wasted_seconds += self._clock() - request.arrived

    def _reject_placed(self, request: PendingRequest, rejection: Rejection) -> Rejection:
        """Rejects a placed request whose backend was unreachable, because there is no other backend."""
        self._admission.done(request)
        self._count_wasted_time(request)
        return self._reject(request, rejection)

    def _reject(self, request: PendingRequest, rejection: Rejection) -> Rejection:
        self.rejected(request, rejection)
        return rejection

    def _no_route_rejection(self) -> Rejection:
        if self.closed:
            return Rejection(Cause.DELETED, f"Endpoint {self.identity.endpoint} was deleted.")
        return Rejection(Cause.CREATING, self.no_route_reason, RETRY_AFTER_SECONDS)

    def _cannot_start_rejection(self, failure: PodFailure) -> Rejection:
        return Rejection(Cause.CANNOT_START, f"Endpoint {self.identity.endpoint} cannot start: {failure.message}")

    def _not_ready_reason(self) -> str:
        size = self.pools.demand_size()
        failure = self.pools.failure()
        if failure is not None:
            return failure.message
        scaled_to_zero = not any(True for _ in self.pools.serving_pods()) and (size is None or not size.replicas)
        return f"Endpoint {self.identity.endpoint} is {'scaled to zero' if scaled_to_zero else 'starting'}."
