"""The whole status of an Endpoint, from where it is on its way. One function of facts: nothing in it remembers.

    serves   what else                              endpointStatus   Ready                 Available   marks         failureReason
    ------   ---------                              --------------   -----                 ---------   -----         -------------
    -        being deleted                          Deleting         False                 False       Reconciling   -
    no       reference missing                      Creating         False …NotFound       False       Reconciling   -
    no       user must act (name taken, refused)    Failed           False its reason      False       Stalled       yes
    no       attempt failed (also: tried again)     Failed           False CreationFailed  False       Stalled       yes
    no       under way                              Creating         False Creating        False       Reconciling   -
    yes      reference missing                      InService        False …NotFound       True        Reconciling   -
    yes      user must act                          InService        False its reason      True        Stalled       yes
    yes      attempt failed (also: tried again)     InService        False UpdateFailed    True        Stalled       yes
    yes      update under way                       Updating         Unknown Updating      True        Reconciling   -
    yes      the cluster refuses a child            InService        False its reason      True        -             -
    yes      pods cannot start, none answers        InService        False CannotStart     False       -             -
    yes      pods cannot start, others answer       InService        False CannotStart     True        -             -
    yes      a child's name is somebody else's      InService        False NameTaken       True        Stalled       yes
    yes      spec.autoscaling cannot all be served  InService        False its reason      True        Stalled       yes
    yes      nothing                                InService        True                  True        -             -

The first row that fits counts. "True" under Available is False where pods of what serves cannot start.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kindler.api import conditions as c
from kindler.api import names
from kindler.api.conditions import Condition
from kindler.api.ignored import ignored_fields
from kindler.api.route import Route
from kindler.core.autoscaling.activities import activities
from kindler.core.autoscaling.decision import MetricsApi, ScalingDecision
from kindler.core.common.blockers import Blocker, BlockerKind
from kindler.core.common.pods import PodFailure
from kindler.core.common.timestamps import format_timestamp
from kindler.core.endpoint.state import Observed, RolloutPlan, StoredRevision

FAILURE_LIMIT = 1024  # SageMaker's
_IMAGE_TROUBLE = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull")


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table. `mark`: Reconciling, Stalled or none; `cause`: the mark's reason."""

    endpoint_status: str
    ready: str
    reason: str
    message: str
    mark: str = ""
    cause: str = ""
    failed: bool = False

    @property
    def failure(self) -> str | None:
        return self.message[:FAILURE_LIMIT] if self.failed else None


def status(observed: Observed, rollout: RolloutPlan, blockers: tuple[Blocker, ...] = ()) -> dict[str, Any]:
    """The status to write. `obstacles`: what the cluster said against the writes of this pass."""
    row = _row(observed, rollout, blockers)
    available = rollout.routed is not None and rollout.available and not observed.deleting
    variants = [_variant(observed, rollout, rollout.routed.route)] if rollout.routed else None
    failed = rollout.target.route.revision if rollout.target and row.failed else None
    fields = {
        "observedGeneration": observed.endpoint["metadata"].get("generation", 0),
        "conditions": _conditions(observed, row, available, _active(observed, rollout, blockers)),
        "endpointStatus": row.endpoint_status,
        "failureReason": row.failure,
        "endpointConfigName": rollout.routed.config_name if rollout.routed else None,
        "failedRevision": failed,
        "productionVariants": variants,
        **_scaling(observed, rollout),
        "pendingDeploymentSummary": _pending(observed, rollout)
        if rollout.target and not row.failed and not observed.deleting
        else None,
        "route": rollout.routed.route.to_json() if rollout.routed else None,
        "url": names.endpoint_url(observed.name, observed.namespace)
        if all(o.child != "Service" for o in blockers)
        else None,  # else it leads to somebody else
        "ignoredFields": [
            f.to_json()
            for f in ignored_fields(
                "Endpoint", observed.endpoint["spec"], observed.endpoint["metadata"].get("annotations") or {}
            )
        ]
        or None,
        "creationTime": observed.endpoint["metadata"].get("creationTimestamp"),
        "ackResourceMetadata": observed.status.get("ackResourceMetadata"),
    }
    return _dated(observed, {k: v for k, v in fields.items() if v is not None})


# --- Which row


def _row(observed: Observed, rollout: RolloutPlan, blockers: tuple[Blocker, ...]) -> Row:
    serves = rollout.routed is not None
    if observed.deleting:
        return Row(
            c.DELETING,
            c.FALSE,
            c.DELETING,
            "The endpoint is being deleted: requests in flight are answered first.",
            c.RECONCILING,
            c.DELETING,
        )
    told = rollout.blocker or next((o for o in blockers if o.blocking), None)
    if told and told.kind is not BlockerKind.ERROR and (told.kind is BlockerKind.STALLED or rollout.blocker):
        return _obstructed(told, serves)
    if failure := _failure(observed, rollout, told):
        variant = rollout.target.route.variant_name if rollout.target else ""
        message = spoken(failure, variant)
        word, reason = (c.IN_SERVICE, c.UPDATE_FAILED) if serves else (c.FAILED, c.CREATION_FAILED)
        return Row(word, c.FALSE, reason, message, c.STALLED, failure.reason, failed=True)
    if rollout.target:
        word, ready = (c.UPDATING, c.UNKNOWN) if serves else (c.CREATING, c.FALSE)
        return Row(word, ready, word, _progress(observed, rollout, told), c.RECONCILING, word)
    if not serves:
        return Row(
            c.CREATING,
            c.FALSE,
            c.CREATING,
            told.message if told else "The endpoint is being created.",
            c.RECONCILING,
            c.CREATING,
        )
    beside = (*blockers, rollout.scaling.blocker) if rollout.scaling and rollout.scaling.blocker else blockers
    if refused := told or next((o for o in beside if o.kind is BlockerKind.ERROR), None):
        return Row(c.IN_SERVICE, c.FALSE, refused.reason, refused.message)
    if rollout.degraded:
        return Row(
            c.IN_SERVICE,
            c.FALSE,
            c.CANNOT_START,
            spoken(rollout.degraded, rollout.routed.route.variant_name if rollout.routed else ""),
        )
    if beside:
        return _obstructed(beside[0], serves)
    return Row(c.IN_SERVICE, c.TRUE, c.IN_SERVICE, "The endpoint is in service.")


def _obstructed(told: Blocker, serves: bool) -> Row:
    stalled = told.kind is BlockerKind.STALLED
    word = c.IN_SERVICE if serves else (c.FAILED if stalled else c.CREATING)
    mark = c.STALLED if stalled else c.RECONCILING
    return Row(word, c.FALSE, told.reason, told.message, mark, told.reason, failed=stalled)


def _failure(observed: Observed, rollout: RolloutPlan, told: Blocker | None) -> PodFailure | None:
    if rollout.target is None:
        return None
    if rollout.failure:
        return rollout.failure
    overdue = rollout.deadline is not None and observed.now >= rollout.deadline
    return PodFailure(told.reason, told.message, False) if told and overdue else None


def spoken(failure: PodFailure, variant: str) -> str:
    """SageMaker's own words before ours, where they are known."""
    if failure.reason in _IMAGE_TROUBLE and "make sure all images" not in failure.message:
        return f"{failure.message} Please make sure all images included in the model for the production variant {variant} exist."
    if failure.reason == "PingFailing" and "ping health check" not in failure.message:
        return f"The primary container for production variant {variant} did not pass the ping health check. {failure.message}"
    return failure.message


def _progress(observed: Observed, rollout: RolloutPlan, told: Blocker | None) -> str:
    if told:
        return told.message
    pools = [
        p
        for w in rollout.pools
        if rollout.target and w.revision == rollout.target.route.revision and (p := observed.pool(w.name))
    ]
    pods = [f for p in pools for f in observed.of(p)]
    failure = next((f.failure for f in pods if f.failure), None) or next((p.failure for p in pools if p.failure), None)
    if failure:
        return f"Not yet: {failure.message}"
    # No numbers: each would be a write, and wake every activator's watch.
    return f"Bringing up {rollout.target.config_name if rollout.target else ''}: its pods have not all answered their ping yet."


# --- Conditions


def _conditions(
    observed: Observed, row: Row, available: bool, active: tuple[str, str, str] | None
) -> list[dict[str, Any]]:
    generation, at = int(observed.endpoint["metadata"].get("generation", 0)), format_timestamp(observed.now)
    answers = ("Answers", "The endpoint answers requests, also from zero.") if available else (row.reason, row.message)
    wanted = [
        Condition(c.READY, row.ready, row.reason, row.message[:FAILURE_LIMIT], generation, at),
        Condition(
            c.AVAILABLE, c.TRUE if available else c.FALSE, answers[0], answers[1][:FAILURE_LIMIT], generation, at
        ),
    ]
    if active:
        wanted.append(Condition(c.SCALING_ACTIVE, active[0], active[1], active[2][:FAILURE_LIMIT], generation, at))
    if row.mark:
        wanted.append(Condition(row.mark, c.TRUE, row.cause, row.message[:FAILURE_LIMIT], generation, at))
    return [condition.to_json() for condition in c.carried(wanted, found_conditions(observed.status))]


def _active(observed: Observed, rollout: RolloutPlan, blockers: tuple[Blocker, ...]) -> tuple[str, str, str] | None:
    """ScalingActive: as decided, unless the HPA could not be written.

    A controller that has begun anew to compute a size has to measure for a minute first: what was so until then is told on.
    """
    if rollout.scaling is None or rollout.scaling.active is None:
        return None
    if refused := next((o for o in blockers if o.child == "HorizontalPodAutoscaler"), None):
        alone = (
            "the controller sizes the warm pool itself"
            if observed.capabilities.api is MetricsApi.NONE
            else "no policy acts, and the size is held within the bounds in force"
        )
        until = "the HorizontalPodAutoscaler acts as it stands" if observed.hpa else alone
        return c.FALSE, c.CANNOT_SCALE, f"{refused.message} Until then {until}."
    before = next((x for x in found_conditions(observed.status) if x.type == c.SCALING_ACTIVE), None)
    if (
        before
        and before.reason in (c.COMPUTED, c.NO_METRICS)
        and rollout.scaling.measures_load
        and rollout.scaling.active[1] == c.NOT_SCALED_YET
    ):
        return before.status, before.reason, before.message
    return rollout.scaling.active


def found_conditions(found: Any) -> tuple[Condition, ...]:
    """The conditions of a status, whoever wrote them."""
    return tuple(
        Condition.from_json(entry) for entry in found.get("conditions") or () if "type" in entry and "status" in entry
    )


# --- Provisioned concurrency that scales itself


def _scaling(observed: Observed, rollout: RolloutPlan) -> dict[str, Any]:
    """Where nothing was decided, what is remembered stays."""
    if rollout.scaling is None:
        return {k: observed.status.get(k) for k in ("autoscaling", "scalingActivities")}
    done = activities(observed.status, rollout.scaling, rollout.degraded, format_timestamp(observed.now))
    return {
        "autoscaling": [rollout.scaling.status] if rollout.scaling.status else None,
        "scalingActivities": done or None,
    }


# --- SageMaker's DescribeEndpoint


def _variant(observed: Observed, rollout: RolloutPlan, route: Route) -> dict[str, Any]:
    kept = next((k for k in rollout.revisions if k.revision == route.revision), None)
    warm, demand = (
        len([f for f in observed.of(observed.pool(name)) if f.ready]) for name in (route.warm_pool, route.demand_pool)
    )
    target, wish = (rollout.target.route, rollout.target_scaling) if rollout.target else (route, rollout.scaling)
    wanted = sum(p.replicas for name in (route.warm_pool, route.demand_pool) if (p := observed.pool(name)))
    shown = {
        "variantName": route.variant_name,
        "deployedImages": [_image(kept)] if kept else None,
        "currentWeight": 1,
        "desiredWeight": 1,
        "currentServerlessConfig": serverless(route, _units(rollout.scaling, lambda p: p.current)),
        "desiredServerlessConfig": serverless(target, _units(wish, lambda p: p.desired)),
        "currentInstanceCount": warm + demand,
        "desiredInstanceCount": wanted,
        "warmInstanceCount": warm,
        "demandInstanceCount": demand,
    }
    return {k: v for k, v in shown.items() if v is not None}


def _pending(observed: Observed, rollout: RolloutPlan) -> dict[str, Any]:
    assert rollout.target is not None
    assert rollout.attempt is not None
    route, since = rollout.target.route, format_timestamp(rollout.attempt.at)
    kept = next((k for k in rollout.revisions if k.revision == route.revision), None)
    variant = {
        "variantName": route.variant_name,
        "deployedImages": [_image(kept)] if kept else [],
        "desiredServerlessConfig": serverless(route, _units(rollout.target_scaling, lambda p: p.desired)),
        "variantStatus": [{"status": "Updating" if rollout.routed else "Creating", "startTime": since}],
    }
    return {"endpointConfigName": rollout.target.config_name, "productionVariants": [variant], "startTime": since}


def _image(kept: StoredRevision) -> dict[str, str]:
    said = {"specifiedImage": kept.shape.image if kept.shape else kept.pod_spec["containers"][0]["image"]}
    if kept.resolved:
        said |= {"resolvedImage": kept.resolved.image, "resolutionTime": format_timestamp(kept.resolved.at)}
    return said


def _units(provision: ScalingDecision | None, which: Callable[[ScalingDecision], int]) -> int | None:
    """Provisioned concurrency where it scales itself."""
    return which(provision) if provision and provision.status else None


def serverless(route: Route, provisioned: int | None) -> dict[str, int]:
    """`provisioned` None: as the EndpointConfig says."""
    shown = {
        "memorySizeInMB": route.memory_size_in_mb,
        "maxConcurrency": route.max_concurrency,
        "provisionedConcurrency": route.provisioned_concurrency if provisioned is None else provisioned,
        "maxConcurrencyPerInstance": route.max_concurrency_per_instance,
        "idleTimeoutInSeconds": route.idle_timeout_in_seconds,
        "invocationTimeoutInSeconds": route.invocation_timeout_in_seconds,
    }
    return {k: v for k, v in shown.items() if v or k != "provisionedConcurrency" or provisioned is not None}


def _dated(observed: Observed, new: dict[str, Any]) -> dict[str, Any]:
    """`lastModifiedTime` moves with what SageMaker would call a change: the state, what serves, a failure."""
    same = all(
        observed.status.get(k) == new.get(k)
        for k in ("endpointStatus", "route", "endpointConfigName", "failedRevision")
    )
    before = observed.status.get("lastModifiedTime")
    return new | {"lastModifiedTime": before if same and before else format_timestamp(observed.now)}


# --- Counts are not worth a write each


_COUNTS = (
    "currentInstanceCount",
    "desiredInstanceCount",
    "warmInstanceCount",
    "demandInstanceCount",
    "currentServerlessConfig",
    "currentCapacity",
)
_MOMENTS = ("lastScheduledAction", "nextScheduledAction")


def only_counts_differ(new: dict[str, Any], old: Any) -> bool:
    """Whether a write would tell nothing but numbers of pods, moments that changed no bound, or the HPA's words: each write wakes every activator's watch."""
    return new != old and _without_counts(new) == _without_counts(old)


def _without_counts(value: Any) -> dict[str, Any]:
    """`currentServerlessConfig` counts what is reached; all else in it stands in the route, too."""
    beside = (*_COUNTS, *_MOMENTS)
    kept = {
        name: [{k: v for k, v in entry.items() if k not in beside} for entry in value.get(name) or ()]
        for name in ("productionVariants", "autoscaling")
    }
    said = [
        {k: v for k, v in x.items() if x.get("type") != c.SCALING_ACTIVE or k not in ("reason", "message")}
        for x in value.get("conditions") or ()
    ]
    return dict(value) | kept | {"conditions": said}
