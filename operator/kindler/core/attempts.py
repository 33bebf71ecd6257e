"""One try after another to bring a revision up: when it has failed, why, and when the next one begins."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from kindler.api import names
from kindler.api.route import Route
from kindler.core.facts import Attempt, Kept, Observed, Said
from kindler.core.moments import moment
from kindler.core.pods import Trouble

FIRST_RETRY, LONGEST_RETRY = 20, 600  # seconds
QUIET_START = 600  # seconds beyond the startup time for a pod that says nothing: a large image is still being pulled


def attempt(seen: Observed, kept: Kept, route: Route, said: Said, same: bool) -> tuple[Attempt, Trouble | None, float]:
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
    told, startup, highest = _told_before(seen, kept.revision), route.startup_timeout_in_seconds, max((k.number for k in seen.kept if k.routed), default=0)
    old = _latest(seen, kept, said)
    if old is None:
        first = Attempt(0, _begun(seen, said), said.config_name, said.sources, highest)
        return first, told, first.at + startup
    new = Attempt(0, max(int(seen.now), old.at + 1), said.config_name, said.sources, highest)  # later than the old one, whatever the clock says
    if same and old.config_name != said.config_name:
        return new, None, new.at + startup
    if highest > max(old.after, kept.number) and kept.routed:
        return replace(new, adopts=True), None, new.at + startup
    failed = _verdict(seen, route, old, seen.now - old.at - startup, same)
    if failed and not old.failed:
        old = replace(old, failed=int(seen.now))
    if (failed or told) and old.sources != said.sources:
        return new, told, new.at + startup
    if (failed or told) and old.failed and seen.now >= retry_at(old):
        return replace(new, number=old.number + 1), failed or told, new.at + startup
    return old, failed or told, old.at + startup


def retry_at(attempt: Attempt) -> int:
    """When the next attempt begins after this one, which has failed. Epoch seconds."""
    return attempt.failed + retry_after(attempt.number)


def retry_after(number: int) -> int:
    """Seconds from the failure of an attempt to the next one."""
    return int(min(LONGEST_RETRY, FIRST_RETRY * 2 ** min(number, 10)))


def _begun(seen: Observed, said: Said) -> int:
    """Since when that is tried of which nothing is kept: as status tells, so that the deadline stands though no ControllerRevision can be made."""
    pending = seen.status.get("pendingDeploymentSummary") or {}
    since = moment(pending.get("startTime")) if pending.get("endpointConfigName") == said.config_name else None
    return int(seen.now if since is None else since)


def _latest(seen: Observed, kept: Kept, said: Said) -> Attempt | None:
    """The attempt that is kept, or a later one that pools to come are marked with: one cache may lag behind the other."""
    serving = set(((seen.status.get("route") or {}).get("pools") or {}).values())
    marks = [_marked(p.attempt, said, kept) for p in seen.pools if p.revision == kept.revision and p.name not in serving]
    return max((a for a in (kept.attempt, *marks) if a), key=lambda a: (a.at, a.number, a is kept.attempt), default=None)


def _marked(mark: str, said: Said, kept: Kept) -> Attempt | None:
    at, _, number = mark.partition("-")
    if not (at.isdecimal() and number.isdecimal()):
        return None
    return Attempt(int(number), int(at), said.config_name, said.sources, kept.attempt.after if kept.attempt else 0)


def _verdict(seen: Observed, route: Route, attempt: Attempt, overdue: float, same: bool) -> Trouble | None:
    """Why this attempt has failed, `overdue` seconds after its deadline; None while it may still succeed."""
    wanted = (p for p in (seen.pool(route.warm_pool), seen.pool(route.demand_pool)) if p and not p.deleting)
    pools = [p for p in wanted if same or attempt.id in ("", p.attempt)]
    pods = sorted((f for p in pools for f in seen.of(p) if f.trouble), key=lambda f: (f.created, f.name))
    troubles = [p.trouble for p in pools if p.trouble] + [f.trouble for f in pods if f.trouble]
    for trouble in troubles:
        if trouble.final or trouble.reason == "PingFailing":
            return trouble
    if troubles and overdue >= 0:
        return troubles[0]
    complete = len(pools) == (2 if route.warm_pool else 1)  # a pool that cannot be made is told of by whoever tries to make it
    if complete and overdue >= QUIET_START:
        text = "The pods have said nothing since they were asked for. Look at them: kubectl describe pods -l"
        return Trouble("StartTimeout", f"{text} {names.LABEL_ENDPOINT}={seen.name}.", False)
    return None


def _told_before(seen: Observed, revision: str) -> Trouble | None:
    """The failure that status tells of this revision: it stands until the revision works."""
    if seen.status.get("failedRevision") != revision:
        return None
    stalled: dict[str, Any] = next((c for c in seen.status.get("conditions") or () if c.get("type") == "Stalled"), {})
    return Trouble(str(stalled.get("reason", "Failed")), str(seen.status.get("failureReason", "")), False)
