"""One try after another to bring a revision up: when it has failed, why, and when the next one begins."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from kindler.api import names
from kindler.api.route import Route
from kindler.core.common.pods import PodFailure
from kindler.core.common.timestamps import parse_timestamp
from kindler.core.endpoint.state import Attempt, Observed, ResolvedRefs, StoredRevision

FIRST_RETRY, LONGEST_RETRY = 20, 600  # seconds
QUIET_START = 600  # seconds beyond the startup time for a pod that says nothing: a large image is still being pulled


def current_attempt(
    observed: Observed, stored: StoredRevision, route: Route, refs: ResolvedRefs, same: bool
) -> tuple[Attempt, PodFailure | None, float]:
    """The attempt that is under way after this pass, why the target failed so far, and when that which says nothing counts as failed.

    `same`: the target's revision serves already, and only its warm pool has to grow.

    the latest attempt                                 goes on as                                       told
    ------------------                                 ----------                                       ----
    none is known                                      the first                                        the failure that status tells
    was for other limits                               the first                                        -
    succeeded, then another revision was routed to     the first again, with the pools that stand       -
    failed, and what it was read from has changed      the first again                                  the failure that status tells
    failed, and its pause is over                      the next                                         its failure
    any other                                          itself                                           its failure, else what status tells
    """
    told, startup, highest = (
        _told_before(observed, stored.revision),
        route.startup_timeout_in_seconds,
        max((k.number for k in observed.revisions if k.routed), default=0),
    )
    old = _latest(observed, stored, refs)
    if old is None:
        first = Attempt(0, _begun(observed, refs), refs.config_name, refs.sources, highest)
        return first, told, first.at + startup
    new = Attempt(
        0, max(int(observed.now), old.at + 1), refs.config_name, refs.sources, highest
    )  # later than the old one, whatever the clock says
    if same and old.config_name != refs.config_name:
        return new, None, new.at + startup
    if highest > max(old.after, stored.number) and stored.routed:
        return replace(new, adopts=True), None, new.at + startup
    failed = _verdict(observed, route, old, observed.now - old.at - startup, same)
    if failed and not old.failed:
        old = replace(old, failed=int(observed.now))
    if (failed or told) and old.sources != refs.sources:
        return new, told, new.at + startup
    if (failed or told) and old.failed and observed.now >= retry_at(old):
        return replace(new, number=old.number + 1), failed or told, new.at + startup
    return old, failed or told, old.at + startup


def retry_at(attempt: Attempt) -> int:
    """When the next attempt begins after this one, which has failed. Epoch seconds."""
    return attempt.failed + retry_after(attempt.number)


def retry_after(number: int) -> int:
    """Seconds from the failure of an attempt to the next one."""
    return int(min(LONGEST_RETRY, FIRST_RETRY * 2 ** min(number, 10)))


def _begun(observed: Observed, refs: ResolvedRefs) -> int:
    """Since when that is tried of which nothing is kept: as status tells, so that the deadline stands though no ControllerRevision can be made."""
    pending = observed.status.get("pendingDeploymentSummary") or {}
    since = parse_timestamp(pending.get("startTime")) if pending.get("endpointConfigName") == refs.config_name else None
    return int(observed.now if since is None else since)


def _latest(observed: Observed, stored: StoredRevision, refs: ResolvedRefs) -> Attempt | None:
    """The attempt that is kept, or a later one that pools to come are marked with: one cache may lag behind the other."""
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


def _verdict(observed: Observed, route: Route, attempt: Attempt, overdue: float, same: bool) -> PodFailure | None:
    """Why this attempt has failed, `overdue` seconds after its deadline; None while it may still succeed."""
    wanted = (p for p in (observed.pool(route.warm_pool), observed.pool(route.demand_pool)) if p and not p.deleting)
    pools = [p for p in wanted if same or attempt.id in ("", p.attempt)]
    pods = sorted((f for p in pools for f in observed.of(p) if f.failure), key=lambda f: (f.created, f.name))
    failures = [p.failure for p in pools if p.failure] + [f.failure for f in pods if f.failure]
    for failure in failures:
        if failure.final or failure.reason == "PingFailing":
            return failure
    if failures and overdue >= 0:
        return failures[0]
    complete = len(pools) == (
        2 if route.warm_pool else 1
    )  # a pool that cannot be made is told of by whoever tries to make it
    if complete and overdue >= QUIET_START:
        text = "The pods have said nothing since they were asked for. Look at them: kubectl describe pods -l"
        return PodFailure("StartTimeout", f"{text} {names.LABEL_ENDPOINT}={observed.name}.", False)
    return None


def _told_before(observed: Observed, revision: str) -> PodFailure | None:
    """The failure that status tells of this revision: it stands until the revision works."""
    if observed.status.get("failedRevision") != revision:
        return None
    stalled: dict[str, Any] = next(
        (c for c in observed.status.get("conditions") or () if c.get("type") == "Stalled"), {}
    )
    return PodFailure(str(stalled.get("reason", "Failed")), str(observed.status.get("failureReason", "")), False)
