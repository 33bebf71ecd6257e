"""One try after another to bring a revision up: when it has failed, why, and when the next one begins."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from kindler.api import names
from kindler.api.route import Route
from kindler.core.facts import Attempt, Kept, Observed, Said
from kindler.core.pods import Trouble

FIRST_RETRY, LONGEST_RETRY = 20, 600  # seconds
QUIET_START = 600  # seconds beyond the startup time for a pod that says nothing: a large image is still being pulled


def attempt(seen: Observed, kept: Kept, route: Route, said: Said, same: bool) -> tuple[Attempt, Trouble | None, float]:
    """The attempt that is under way after this pass, why the target failed so far, and when that which says nothing counts as failed.

    `same`: the target's revision serves already, and only its warm pool has to grow.
    """
    new = Attempt(0, int(seen.now), said.config_name, said.sources)
    old = _latest(seen, kept, said, same)
    startup = route.startup_timeout_in_seconds
    if old is None or _used(seen, kept, old) or (same and old.config_name != said.config_name):
        return new, None, seen.now + startup
    deadline = old.at + startup
    failed = _verdict(seen, route, old, seen.now - deadline, same)
    told = failed or _told_before(seen, kept.revision)
    if told and old.sources != said.sources:
        return new, told, seen.now + startup
    if failed and seen.now >= old.at + retry_after(old.number):
        return replace(new, number=old.number + 1), told, seen.now + startup
    return old, told, deadline


def _latest(seen: Observed, kept: Kept, said: Said, same: bool) -> Attempt | None:
    """The attempt that is kept, or a later one that pools are marked with: one cache may lag behind the other."""
    marks = [] if same else [_marked(p.attempt, said) for p in seen.pools if p.revision == kept.revision]
    return max((a for a in (kept.attempt, *marks) if a), key=lambda a: (a.at, a.number, a is kept.attempt), default=None)


def _marked(mark: str, said: Said) -> Attempt | None:
    at, _, number = mark.partition("-")
    return Attempt(int(number), int(at), said.config_name, said.sources) if at.isdecimal() and number.isdecimal() else None


def _used(seen: Observed, kept: Kept, old: Attempt) -> bool:
    """The attempt succeeded, and then another revision was routed to: the way back is a new one."""
    return kept.routed is not None and any(k.number > kept.number and k.routed and old.at <= k.routed.at for k in seen.kept)


def retry_after(number: int) -> int:
    """Seconds from the begin of an attempt that failed to the next one."""
    return int(min(LONGEST_RETRY, FIRST_RETRY * 2 ** min(number, 10)))


def _verdict(seen: Observed, route: Route, attempt: Attempt, overdue: float, same: bool) -> Trouble | None:
    """Why this attempt has failed, `overdue` seconds after its deadline; None while it may still succeed."""
    pools = [p for p in (seen.pool(route.warm_pool), seen.pool(route.demand_pool)) if p and (same or p.attempt == attempt.id)]
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
