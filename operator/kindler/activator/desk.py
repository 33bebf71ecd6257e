"""One endpoint on this replica: who comes in, who waits, who goes where. The seam's `Desk` (calls.py); all of it plain method calls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from kindler.activator.calls import Call, Cause, ColdStart, Outcome, Place, Purpose, Refusal, Terms
from kindler.activator.counts import Counts
from kindler.activator.hands import Hands
from kindler.activator.pods import Pod
from kindler.activator.pools import Pools
from kindler.api import names
from kindler.api.route import Route
from kindler.api.stats import EndpointStats
from kindler.core.admission import Admission
from kindler.core.pods import Trouble

RETRY_AFTER = 1  # seconds that a throttled client should wait


@dataclass(frozen=True, slots=True)
class Identity:
    """Which object it is. `endpoint`: its SageMaker name. `created`: creationTimestamp, as text."""

    uid: str
    namespace: str
    name: str
    endpoint: str
    created: str


class Teller(Protocol):
    """Who writes down what happens."""

    def cold_start(self, identity: Identity, pod: Pod, cold: ColdStart) -> None: ...

    def served(
        self, identity: Identity, call: Call, place: Place, outcome: Outcome, status: int, received: int, sent: int, placed: float, now: float
    ) -> None: ...

    def refused(self, identity: Identity, call: Call | None, refusal: Refusal) -> None: ...


class EndpointDesk:
    """The state of one endpoint by its uid. Without a route it exists but does not serve; closed, it only finishes what is in flight."""

    def __init__(self, identity: Identity, hands: Hands, teller: Teller, clock: Callable[[], float]) -> None:
        self.identity = identity
        self.terms = Terms(identity.endpoint, identity.namespace, "", b"/invocations", 60.0)
        self.pools = Pools(identity.namespace, hands, clock, self.settle)
        self.counts = Counts()
        self.unserved = f"Endpoint {identity.endpoint} is being created: it has no revision to serve yet."
        self.closed = False
        self._admission: Admission[Call, Place] = Admission(0)
        self._teller = teller
        self._clock = clock
        self._serving = False

    # The wire's side

    def offer(self, call: Call) -> Place | Refusal | None:
        """A place, a refusal, or None: it waits."""
        route, admission = self.pools.route, self._admission
        if route is None or self.closed:
            return self._refusal(call, self._absent())
        if call.purpose is Purpose.PING:
            return self.pools.usable() or self._refusal(call, Refusal(Cause.NOT_READY, self._state()))
        if admission.full:
            reason = f"Endpoint {self.terms.endpoint} has reached its maximum concurrency of {admission.limit}. Try again later."
            return self._refusal(call, Refusal(Cause.THROTTLED, reason, RETRY_AFTER))
        place = None if admission.waiting else self.pools.placement.take()
        if place is None:
            self.pools.wake(len(admission.waiting) + 1)
            self._serve()  # a pod that was to go may have come back: for those who wait already, then for this one
            place = None if admission.waiting else self.pools.placement.take()
        if place is None:
            return self._hold(call)
        admission.run(call, place, self._clock())
        self._count(route, place)
        return place

    def gone(self, call: Call) -> None:
        """A held call's client left; it never reaches the model."""
        if self._admission.leave(call):
            self.counts.left()
            self._spent(call)

    def finished(self, call: Call, place: Place, outcome: Outcome, status: int, received: int, sent: int) -> None:
        """The place is free; whoever waits longest gets it."""
        run = self._admission.done(call)
        if run is None:
            return  # a PING takes no place
        now = place.last_used = self._clock()
        if outcome is Outcome.BROKE_OFF or outcome is Outcome.TIMED_OUT:
            self.pools.suspect(place)
        elif self.pools.shaky:
            self.pools.shaky.pop(place.uid, None)
        self.pools.placement.give_back(place)
        self.counts.served(outcome, status, call.arrived, run[1], now, received, sent)
        self._teller.served(self.identity, call, place, outcome, status, received, sent, run[1], now)
        if self._admission.waiting:
            self._serve()

    def unreachable(self, call: Call, place: Place) -> Place | Refusal | None:
        """Nothing was sent to the pod: another place, or the call waits again before all others."""
        if call not in self._admission.running:
            return self._refusal(call, self._absent())
        self.pools.suspect(place)
        self.pools.placement.give_back(place)
        if self.closed:
            return self._give_up(call, self._absent())
        other = self.pools.placement.take()
        if other is None:
            self.pools.wake(len(self._admission.waiting) + 1)
            other = self.pools.placement.take()  # a pod that was to go may have come back
        if other is not None:
            self._admission.run(call, other, self._clock())
            self._serve()
            return other
        trouble = self.pools.hopeless()
        if trouble is not None:
            return self._give_up(call, self._doom(trouble))
        call.counted = True
        self._admission.wait_again(call)
        return None

    def refused(self, call: Call | None, refusal: Refusal) -> None:
        """Counts an answer of ours that was decided elsewhere."""
        self.counts.refused(refusal.cause)
        self._teller.refused(self.identity, call, refusal)

    # The cluster's side

    def reroute(self, route: Route, seen_to_move: bool = True) -> None:
        """The route appeared or moved: held requests go to the new revision, those in flight finish where they are."""
        self.terms = Terms(
            self.identity.endpoint, self.identity.namespace, route.variant_name, route.invocations_path.encode(), float(route.invocation_timeout_in_seconds)
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
        trouble = self.pools.hopeless()
        if trouble is not None:
            self.dismiss(self._doom(trouble))
            return
        self.pools.wake(len(waiting))
        self._serve()

    def expire(self, now: float) -> None:
        """Answers those who have waited for the whole startup time."""
        route, waiting = self.pools.route, self._admission.waiting
        while route is not None and waiting and now - waiting[0].arrived >= route.startup_timeout_in_seconds:
            call = waiting.popleft()
            trouble = self.pools.trouble()
            why = trouble.message if trouble else f"No pod answered {route.health_path}."
            reason = f"Endpoint {self.terms.endpoint} did not start within {route.startup_timeout_in_seconds} s. {why}"
            if self.pools.usable():
                reason = f"Endpoint {self.terms.endpoint} had no free place within {route.startup_timeout_in_seconds} s: its pods stayed busy."
            self._spent(call)
            call.refuse(self._refusal(call, Refusal(Cause.START_TIMEOUT, reason)))

    def close(self) -> None:
        """The endpoint was deleted: who waits is told at once, what is in flight finishes."""
        self.closed = True
        self.pools.close()
        self.dismiss(self._absent())

    def dismiss(self, refusal: Refusal) -> None:
        """Answers all who wait."""
        for call in self._admission.dismiss():
            self._spent(call)
            call.refuse(self._refusal(call, refusal))

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
        places = [place for place, _ in admission.running.values()]
        older: dict[str, int] = {}
        for place in places:
            if place.revision != revision:
                older[place.revision] = older.get(place.revision, 0) + 1
        warm = sum(place.pool == names.WARM for place in places)
        totals = None
        if route is not None and route.warm_pool:
            totals = self.counts.totals([call.arrived for calls in (admission.running, admission.waiting) for call in calls], self._clock())
        return EndpointStats(self.identity.uid, owner, revision, len(places), self.held, warm, len(places) - warm, older, self.pools.allocated(), totals)

    # Inside

    def _hold(self, call: Call) -> Refusal | None:
        trouble = self.pools.hopeless()
        if trouble is not None:
            return self._refusal(call, self._doom(trouble))
        self._admission.wait(call)
        return None

    def _serve(self) -> None:
        """Gives free places to those who wait, in their order. A dispatch may end in `finished` and come back here: the outer loop goes on for it."""
        admission, pools = self._admission, self.pools
        if self._serving or not admission.waiting or pools.route is None:
            return
        self._serving = True
        try:
            while admission.waiting and (place := pools.placement.take()) is not None:
                call = admission.run_next(place, self._clock())
                if not call.counted:
                    self._count(pools.route, place)
                self._warmed(call, place)
                call.dispatch(place)
        finally:
            self._serving = False

    def _warmed(self, call: Call, place: Place) -> None:
        """Did the call wait for this pod to start? Then it carries the phases, and the pod's cold start is told once."""
        pod = self.pools.pods.get(place.uid)
        if pod is None or pod.ping is None or pod.ping < call.arrived:
            return
        call.cold = pod.cold_start(call.arrived)
        if not pod.announced:
            pod.announced = True
            self.counts.started(call.cold.phases())
            self._teller.cold_start(self.identity, pod, call.cold)

    def _count(self, route: Route, place: Place) -> None:
        """With a warm pool, also one of size 0: did the request fit into it? The size that the config names says nothing while it is being scaled.

        Once a request, by its first place: a pod that turns out not to be reachable was no lack of provisioned concurrency.
        """
        if route.warm_pool:
            if place.pool == names.WARM:
                self.counts.provisioned += 1
            else:
                self.counts.spilled += 1

    def _spent(self, call: Call) -> None:
        """The call was in and ends without a pod's answer."""
        self.counts.in_vain += self._clock() - call.arrived

    def _give_up(self, call: Call, refusal: Refusal) -> Refusal:
        """The call had a place that could not be reached, and gets no other."""
        self._admission.done(call)
        self._spent(call)
        return self._refusal(call, refusal)

    def _refusal(self, call: Call, refusal: Refusal) -> Refusal:
        self.refused(call, refusal)
        return refusal

    def _absent(self) -> Refusal:
        if self.closed:
            return Refusal(Cause.DELETED, f"Endpoint {self.identity.endpoint} was deleted.")
        return Refusal(Cause.CREATING, self.unserved, RETRY_AFTER)

    def _doom(self, trouble: Trouble) -> Refusal:
        return Refusal(Cause.CANNOT_START, f"Endpoint {self.identity.endpoint} cannot start: {trouble.message}")

    def _state(self) -> str:
        size = self.pools.demand_size()
        trouble = self.pools.trouble()
        if trouble is not None:
            return trouble.message
        asleep = not any(True for _ in self.pools.serving()) and (size is None or not size.replicas)
        return f"Endpoint {self.identity.endpoint} is asleep." if asleep else f"Endpoint {self.identity.endpoint} is starting."
