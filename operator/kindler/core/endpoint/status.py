"""The whole status of an Endpoint: a function of what was observed and decided.

statusrow.py selects the state, variants.py describes the deployment. From the earlier status this module takes the
times of changes, the scaling activities, and what ACK wrote. While no size was decided or computed, it also takes the
fields of autoscaling and the condition ScalingActive.
"""

from __future__ import annotations

from typing import Any

from kindler.api import conditions as c
from kindler.api import names
from kindler.api.conditions import Condition
from kindler.api.ignored import ignored_fields
from kindler.core.autoscaling.activities import activities
from kindler.core.autoscaling.decision import MetricsApi
from kindler.core.common.blockers import Blocker
from kindler.core.common.timestamps import format_timestamp
from kindler.core.endpoint.reported import reported_conditions
from kindler.core.endpoint.state import Observed, RolloutPlan
from kindler.core.endpoint.statusrow import FAILURE_LIMIT, StatusRow, status_row
from kindler.core.endpoint.variants import pending_deployment, production_variant


def status(observed: Observed, rollout: RolloutPlan, blockers: tuple[Blocker, ...] = ()) -> dict[str, Any]:
    """The status to write. `blockers`: why writes of this pass failed."""
    meta = observed.endpoint["metadata"]
    row = status_row(observed, rollout, blockers)
    available = rollout.routed is not None and rollout.available and not observed.deleting
    scaling_active = _scaling_active(observed, rollout, blockers)
    # If the Service could not be written, the URL would lead to an object that Kindler does not own.
    has_service = all(b.child != "Service" for b in blockers)
    ignored = ignored_fields("Endpoint", observed.endpoint["spec"], meta.get("annotations") or {})
    fields = {
        "observedGeneration": meta.get("generation", 0),
        "conditions": _conditions(observed, row, available, scaling_active),
        "endpointStatus": row.endpoint_status,
        "failureReason": row.failure_reason,
        "endpointConfigName": rollout.routed.config_name if rollout.routed else None,
        "failedRevision": rollout.target.route.revision if rollout.target and row.failed else None,
        "productionVariants": [production_variant(observed, rollout, rollout.routed.route)] if rollout.routed else None,
        **_scaling(observed, rollout),
        "pendingDeploymentSummary": _pending_deployment(observed, rollout, row),
        "route": rollout.routed.route.to_json() if rollout.routed else None,
        "url": names.endpoint_url(observed.name, observed.namespace) if has_service else None,
        "ignoredFields": [field.to_json() for field in ignored] or None,
        "creationTime": meta.get("creationTimestamp"),
        "ackResourceMetadata": observed.status.get("ackResourceMetadata"),
    }
    return _with_modified_time(observed, {k: v for k, v in fields.items() if v is not None})


def _pending_deployment(observed: Observed, rollout: RolloutPlan, row: StatusRow) -> dict[str, Any] | None:
    if rollout.target is None or rollout.attempt is None or row.failed or observed.deleting:
        return None
    return pending_deployment(rollout, rollout.target, rollout.attempt)


# --- Conditions


def _conditions(
    observed: Observed, row: StatusRow, available: bool, active: tuple[str, str, str] | None
) -> list[dict[str, Any]]:
    generation, at = int(observed.endpoint["metadata"].get("generation", 0)), format_timestamp(observed.now)

    def condition(kind: str, value: str, reason: str, message: str) -> Condition:
        return Condition(kind, value, reason, message[:FAILURE_LIMIT], generation, at)

    conditions = [condition(c.READY, row.ready, row.reason, row.message)]
    if available:
        message = "The endpoint answers requests, also from zero."
        conditions.append(condition(c.AVAILABLE, c.TRUE, "Answers", message))
    else:
        conditions.append(condition(c.AVAILABLE, c.FALSE, row.reason, row.message))
    if active:
        conditions.append(condition(c.SCALING_ACTIVE, *active))
    if row.mark:
        conditions.append(condition(row.mark, c.TRUE, row.cause, row.message))
    return [each.to_json() for each in c.carried(conditions, reported_conditions(observed.status))]


def _scaling_active(
    observed: Observed, rollout: RolloutPlan, blockers: tuple[Blocker, ...]
) -> tuple[str, str, str] | None:
    """ScalingActive as (status, reason, message): the decision's condition, unless the HPA could not be written.

    After its start the controller measures for a minute before it can compute a size. Until then the status keeps the
    earlier condition.
    """
    if rollout.scaling is None or rollout.scaling.active is None:
        return None
    if write_blocker := next((b for b in blockers if b.child == "HorizontalPodAutoscaler"), None):
        return c.FALSE, c.CANNOT_SCALE, f"{write_blocker.message} Until then {_without_new_hpa(observed)}."
    before = next((x for x in reported_conditions(observed.status) if x.type == c.SCALING_ACTIVE), None)
    if (
        before
        and before.reason in (c.COMPUTED, c.NO_METRICS)
        and rollout.scaling.measures_load
        and rollout.scaling.active[1] == c.NOT_SCALED_YET
    ):
        return before.status, before.reason, before.message
    return rollout.scaling.active


def _without_new_hpa(observed: Observed) -> str:
    """How the warm pool is sized while the HPA cannot be written."""
    if observed.hpa:
        return "the HorizontalPodAutoscaler keeps its present configuration"
    if observed.capabilities.api is MetricsApi.NONE:
        return "the controller sizes the warm pool itself"
    return "no policy acts, and the size is held within the bounds in force"


# --- Provisioned concurrency that scales automatically


def _scaling(observed: Observed, rollout: RolloutPlan) -> dict[str, Any]:
    """The fields of autoscaling. If nothing was decided, they stay unchanged."""
    if rollout.scaling is None:
        return {k: observed.status.get(k) for k in ("autoscaling", "scalingActivities")}
    latest = activities(observed.status, rollout.scaling, rollout.degraded, format_timestamp(observed.now))
    return {
        "autoscaling": [rollout.scaling.status] if rollout.scaling.status else None,
        "scalingActivities": latest or None,
    }


def _with_modified_time(observed: Observed, new: dict[str, Any]) -> dict[str, Any]:
    """The status with `lastModifiedTime`.

    It changes when SageMaker would report a change: of the state, of the serving configuration, or of a failure.
    """
    same = all(
        observed.status.get(k) == new.get(k)
        for k in ("endpointStatus", "route", "endpointConfigName", "failedRevision")
    )
    before = observed.status.get("lastModifiedTime")
    return new | {"lastModifiedTime": before if same and before else format_timestamp(observed.now)}
