"""The attempts to bring a revision up: when and why an attempt has failed, and when the next attempt begins."""

from __future__ import annotations

from dataclasses import dataclass, replace

from kindler.api import conditions, names
from kindler.api.route import Route
from kindler.core.common.deadlines import startup_deadline
from kindler.core.common.pods import PodFailure
from kindler.core.common.timestamps import parse_timestamp
from kindler.core.endpoint.reported import reported_condition
from kindler.core.endpoint.state import Attempt, Observed, ResolvedRefs, StoredRevision

FIRST_RETRY, LONGEST_RETRY = 20, 600  # seconds
# Seconds after the startup timeout for pods that report nothing, because the node may still be pulling a large image.
NO_PROGRESS_SECONDS = 600


@dataclass(frozen=True, slots=True)
class CurrentAttempt:
    """The attempt of this pass, and why the target has failed before.

    `deadline`: epoch seconds. After it, a failure that is not final counts, too. Pods that report no failure count as
    failed NO_PROGRESS_SECONDS later.
    """

    attempt: Attempt
    failure: PodFailure | None
    deadline: float


def current_attempt(
    observed: Observed, stored: StoredRevision, route: Route, refs: ResolvedRefs, same: bool
) -> CurrentAttempt:
    """The attempt to bring `stored` up. `same`: the routed revision is the target, and only its warm pool has to grow.

    the latest attempt                               the attempt of this pass                   reported failure
    ------------------                               ------------------------                   ----------------
    no attempt is stored                             a first attempt                            status
    was for other limits                             a first attempt                            none
    succeeded, then another revision got the route   a first attempt, with the existing pools   none
    failed, and its sources have changed             a first attempt                            status
    failed, and its pause is over                    the next attempt                           own, else status
    any other                                        the latest attempt                         own, else status

    "status": the failure that the status reports for this revision. "own": the failure of the latest attempt.
    """
    reported = _reported_failure(observed, stored.revision)
    highest = max((r.number for r in observed.revisions if r.routed), default=0)
    old = _latest(observed, stored, refs)
    if old is None:
        return _beginning(
            Attempt(0, _first_began(observed, refs), refs.config_name, refs.sources, highest), route, reported
        )
    # The new attempt begins later than the old attempt, even if the clock was set back.
    new = Attempt(0, max(int(observed.now), old.at + 1), refs.config_name, refs.sources, highest)
    if same and old.config_name != refs.config_name:
        return _beginning(new, route, None)
    if highest > max(old.after, stored.number) and stored.routed:
        return _beginning(replace(new, adopts=True), route, None)
    deadline = startup_deadline(old.at, route.startup_timeout_in_seconds)
    failed = _failure(observed, route, old, observed.now - deadline, same)
    failure = failed or reported
    if failed and not old.failed:
        old = replace(old, failed=int(observed.now))
    if failure and old.sources != refs.sources:
        return _beginning(new, route, reported)
    if failure and old.failed and observed.now >= retry_at(old):
        return _beginning(replace(new, number=old.number + 1), route, failure)
    return CurrentAttempt(old, failure, deadline)


def retry_at(attempt: Attempt) -> int:
    """When the next attempt begins after this failed attempt, in epoch seconds."""
    return attempt.failed + retry_after(attempt.number)


def retry_after(number: int) -> int:
    """Seconds from the failure of attempt `number` to the next attempt."""
    return int(min(LONGEST_RETRY, FIRST_RETRY * 2 ** min(number, 10)))


def _beginning(attempt: Attempt, route: Route, failure: PodFailure | None) -> CurrentAttempt:
    return CurrentAttempt(attempt, failure, startup_deadline(attempt.at, route.startup_timeout_in_seconds))


def _first_began(observed: Observed, refs: ResolvedRefs) -> int:
    """When the first attempt began, from the status, because no ControllerRevision stores it.

    So the attempt has a deadline even if no ControllerRevision can be created.
    """
    pending = observed.status.get("pendingDeploymentSummary") or {}
    since = parse_timestamp(pending.get("startTime")) if pending.get("endpointConfigName") == refs.config_name else None
    return int(observed.now if since is None else since)


def _latest(observed: Observed, stored: StoredRevision, refs: ResolvedRefs) -> Attempt | None:
    """The stored attempt, or a later attempt with which the target's pools are marked.

    Both are read, because the cache of ControllerRevisions or the cache of ReplicaSets may be out of date.
    """
    serving = set(((observed.status.get("route") or {}).get("pools") or {}).values())
    marks = [
        _marked(p.attempt, refs, stored)
        for p in observed.pools
        if p.revision == stored.revision and p.name not in serving
    ]
    return max(
        (a for a in (stored.attempt, *marks) if a), key=lambda a: (a.at, a.number, a is stored.attempt), default=None
    )


def _marked(mark: str, refs: ResolvedRefs, stored: StoredRevision) -> Attempt | None:
    at, _, number = mark.partition("-")
    if not (at.isdecimal() and number.isdecimal()):
        return None
    return Attempt(int(number), int(at), refs.config_name, refs.sources, stored.attempt.after if stored.attempt else 0)


def _failure(observed: Observed, route: Route, attempt: Attempt, overdue: float, same: bool) -> PodFailure | None:
    """Why this attempt has failed, `overdue` seconds after its deadline; None while it may still succeed."""
    required = (p for p in (observed.pool(route.warm_pool), observed.pool(route.demand_pool)) if p and not p.deleting)
    pools = [p for p in required if same or attempt.id in ("", p.attempt)]
    pods = sorted((f for p in pools for f in observed.of(p) if f.failure), key=lambda f: (f.created, f.name))
    failures = [p.failure for p in pools if p.failure] + [f.failure for f in pods if f.failure]
    for failure in failures:
        if failure.final or failure.reason == "PingFailing":
            return failure
    if failures and overdue >= 0:
        return failures[0]
    # Only if all pools exist: if a pool could not be created, the code that tried to create it reports a blocker.
    complete = len(pools) == (2 if route.warm_pool else 1)
    if complete and overdue >= NO_PROGRESS_SECONDS:
        text = "The pods have reported nothing since they were created. Inspect them: kubectl describe pods -l"
        return PodFailure("StartTimeout", f"{text} {names.LABEL_ENDPOINT}={observed.name}.", False)
    return None


def _reported_failure(observed: Observed, revision: str) -> PodFailure | None:
    """The failure of this revision that the status reports. It is reported until the revision works."""
    if observed.status.get("failedRevision") != revision:
        return None
    stalled = reported_condition(observed.status, conditions.STALLED)
    return PodFailure(str(stalled.get("reason", "Failed")), str(observed.status.get("failureReason", "")), False)
