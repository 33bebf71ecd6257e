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
from kindler.core.activities import activities
from kindler.core.facts import Course, Kept, Kind, Observed, Obstacle
from kindler.core.moments import stamp
from kindler.core.pods import Trouble
from kindler.core.provision import MetricsApi, Provision

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


def status(seen: Observed, course: Course, obstacles: tuple[Obstacle, ...] = ()) -> dict[str, Any]:
    """The status to write. `obstacles`: what the cluster said against the writes of this pass."""
    row = _row(seen, course, obstacles)
    available = course.routed is not None and course.available and not seen.deleting
    variants = [_variant(seen, course, course.routed.route)] if course.routed else None
    failed = course.target.route.revision if course.target and row.failed else None
    fields = {
        "observedGeneration": seen.endpoint["metadata"].get("generation", 0),
        "conditions": _conditions(seen, row, available, _active(seen, course, obstacles)),
        "endpointStatus": row.endpoint_status,
        "failureReason": row.failure,
        "endpointConfigName": course.routed.config_name if course.routed else None,
        "failedRevision": failed,
        "productionVariants": variants,
        **_scaling(seen, course),
        "pendingDeploymentSummary": _pending(seen, course) if course.target and not row.failed and not seen.deleting else None,
        "route": course.routed.route.to_json() if course.routed else None,
        "url": names.endpoint_url(seen.name, seen.namespace) if all(o.child != "Service" for o in obstacles) else None,  # else it leads to somebody else
        "ignoredFields": [f.to_json() for f in ignored_fields("Endpoint", seen.endpoint["spec"], seen.endpoint["metadata"].get("annotations") or {})] or None,
        "creationTime": seen.endpoint["metadata"].get("creationTimestamp"),
        "ackResourceMetadata": seen.status.get("ackResourceMetadata"),
    }
    return _dated(seen, {k: v for k, v in fields.items() if v is not None})


# --- Which row


def _row(seen: Observed, course: Course, obstacles: tuple[Obstacle, ...]) -> Row:
    serves = course.routed is not None
    if seen.deleting:
        return Row(c.DELETING, c.FALSE, c.DELETING, "The endpoint is being deleted: requests in flight are answered first.", c.RECONCILING, c.DELETING)
    told = course.obstacle or next((o for o in obstacles if o.blocking), None)
    if told and told.kind is not Kind.ERROR and (told.kind is Kind.STALLED or course.obstacle):
        return _obstructed(told, serves)
    if failure := _failure(seen, course, told):
        variant = course.target.route.variant_name if course.target else ""
        message = spoken(failure, variant)
        word, reason = (c.IN_SERVICE, c.UPDATE_FAILED) if serves else (c.FAILED, c.CREATION_FAILED)
        return Row(word, c.FALSE, reason, message, c.STALLED, failure.reason, failed=True)
    if course.target:
        word, ready = (c.UPDATING, c.UNKNOWN) if serves else (c.CREATING, c.FALSE)
        return Row(word, ready, word, _progress(seen, course, told), c.RECONCILING, word)
    if not serves:
        return Row(c.CREATING, c.FALSE, c.CREATING, told.message if told else "The endpoint is being created.", c.RECONCILING, c.CREATING)
    beside = (*obstacles, course.provision.obstacle) if course.provision and course.provision.obstacle else obstacles
    if refused := told or next((o for o in beside if o.kind is Kind.ERROR), None):
        return Row(c.IN_SERVICE, c.FALSE, refused.reason, refused.message)
    if course.hindrance:
        return Row(c.IN_SERVICE, c.FALSE, c.CANNOT_START, spoken(course.hindrance, course.routed.route.variant_name if course.routed else ""))
    if beside:
        return _obstructed(beside[0], serves)
    return Row(c.IN_SERVICE, c.TRUE, c.IN_SERVICE, "The endpoint is in service.")


def _obstructed(told: Obstacle, serves: bool) -> Row:
    stalled = told.kind is Kind.STALLED
    word = c.IN_SERVICE if serves else (c.FAILED if stalled else c.CREATING)
    mark = c.STALLED if stalled else c.RECONCILING
    return Row(word, c.FALSE, told.reason, told.message, mark, told.reason, failed=stalled)


def _failure(seen: Observed, course: Course, told: Obstacle | None) -> Trouble | None:
    if course.target is None:
        return None
    if course.failure:
        return course.failure
    overdue = course.deadline is not None and seen.now >= course.deadline
    return Trouble(told.reason, told.message, False) if told and overdue else None


def spoken(trouble: Trouble, variant: str) -> str:
    """SageMaker's own words before ours, where they are known."""
    if trouble.reason in _IMAGE_TROUBLE and "make sure all images" not in trouble.message:
        return f"{trouble.message} Please make sure all images included in the model for the production variant {variant} exist."
    if trouble.reason == "PingFailing" and "ping health check" not in trouble.message:
        return f"The primary container for production variant {variant} did not pass the ping health check. {trouble.message}"
    return trouble.message


def _progress(seen: Observed, course: Course, told: Obstacle | None) -> str:
    if told:
        return told.message
    pools = [p for w in course.pools if course.target and w.revision == course.target.route.revision and (p := seen.pool(w.name))]
    pods = [f for p in pools for f in seen.of(p)]
    trouble = next((f.trouble for f in pods if f.trouble), None) or next((p.trouble for p in pools if p.trouble), None)
    if trouble:
        return f"Not yet: {trouble.message}"
    # No numbers: each would be a write, and wake every activator's watch.
    return f"Bringing up {course.target.config_name if course.target else ''}: its pods have not all answered their ping yet."


# --- Conditions


def _conditions(seen: Observed, row: Row, available: bool, active: tuple[str, str, str] | None) -> list[dict[str, Any]]:
    generation, at = int(seen.endpoint["metadata"].get("generation", 0)), stamp(seen.now)
    answers = ("Answers", "The endpoint answers requests, also from zero.") if available else (row.reason, row.message)
    wanted = [
        Condition(c.READY, row.ready, row.reason, row.message[:FAILURE_LIMIT], generation, at),
        Condition(c.AVAILABLE, c.TRUE if available else c.FALSE, answers[0], answers[1][:FAILURE_LIMIT], generation, at),
    ]
    if active:
        wanted.append(Condition(c.SCALING_ACTIVE, active[0], active[1], active[2][:FAILURE_LIMIT], generation, at))
    if row.mark:
        wanted.append(Condition(row.mark, c.TRUE, row.cause, row.message[:FAILURE_LIMIT], generation, at))
    return [condition.to_json() for condition in c.carried(wanted, found_conditions(seen.status))]


def _active(seen: Observed, course: Course, obstacles: tuple[Obstacle, ...]) -> tuple[str, str, str] | None:
    """ScalingActive: as decided, unless the HPA could not be written.

    A controller that has begun anew to compute a size has to measure for a minute first: what was so until then is told on.
    """
    if course.provision is None or course.provision.active is None:
        return None
    if refused := next((o for o in obstacles if o.child == "HorizontalPodAutoscaler"), None):
        alone = (
            "the controller sizes the warm pool itself"
            if seen.around.api is MetricsApi.NONE
            else "no policy acts, and the size is held within the bounds in force"
        )
        until = "the HorizontalPodAutoscaler acts as it stands" if seen.autoscaler else alone
        return c.FALSE, c.CANNOT_SCALE, f"{refused.message} Until then {until}."
    before = next((x for x in found_conditions(seen.status) if x.type == c.SCALING_ACTIVE), None)
    if before and before.reason in (c.COMPUTED, c.NO_METRICS) and course.provision.measure and course.provision.active[1] == c.NOT_SCALED_YET:
        return before.status, before.reason, before.message
    return course.provision.active


def found_conditions(found: Any) -> tuple[Condition, ...]:
    """The conditions of a status, whoever wrote them."""
    return tuple(Condition.from_json(entry) for entry in found.get("conditions") or () if "type" in entry and "status" in entry)


# --- Provisioned concurrency that scales itself


def _scaling(seen: Observed, course: Course) -> dict[str, Any]:
    """Where nothing was decided, what is remembered stays."""
    if course.provision is None:
        return {k: seen.status.get(k) for k in ("autoscaling", "scalingActivities")}
    done = activities(seen.status, course.provision, course.hindrance, stamp(seen.now))
    return {"autoscaling": [course.provision.status] if course.provision.status else None, "scalingActivities": done or None}


# --- SageMaker's DescribeEndpoint


def _variant(seen: Observed, course: Course, route: Route) -> dict[str, Any]:
    kept = next((k for k in course.keep if k.revision == route.revision), None)
    warm, demand = (len([f for f in seen.of(seen.pool(name)) if f.ready]) for name in (route.warm_pool, route.demand_pool))
    target, wish = (course.target.route, course.coming) if course.target else (route, course.provision)
    wanted = sum(p.replicas for name in (route.warm_pool, route.demand_pool) if (p := seen.pool(name)))
    shown = {
        "variantName": route.variant_name,
        "deployedImages": [_image(kept)] if kept else None,
        "currentWeight": 1,
        "desiredWeight": 1,
        "currentServerlessConfig": serverless(route, _units(course.provision, lambda p: p.current)),
        "desiredServerlessConfig": serverless(target, _units(wish, lambda p: p.desired)),
        "currentInstanceCount": warm + demand,
        "desiredInstanceCount": wanted,
        "warmInstanceCount": warm,
        "demandInstanceCount": demand,
    }
    return {k: v for k, v in shown.items() if v is not None}


def _pending(seen: Observed, course: Course) -> dict[str, Any]:
    assert course.target is not None
    assert course.attempt is not None
    route, since = course.target.route, stamp(course.attempt.at)
    kept = next((k for k in course.keep if k.revision == route.revision), None)
    variant = {
        "variantName": route.variant_name,
        "deployedImages": [_image(kept)] if kept else [],
        "desiredServerlessConfig": serverless(route, _units(course.coming, lambda p: p.desired)),
        "variantStatus": [{"status": "Updating" if course.routed else "Creating", "startTime": since}],
    }
    return {"endpointConfigName": course.target.config_name, "productionVariants": [variant], "startTime": since}


def _image(kept: Kept) -> dict[str, str]:
    said = {"specifiedImage": kept.shape.image if kept.shape else kept.pod_spec["containers"][0]["image"]}
    if kept.resolved:
        said |= {"resolvedImage": kept.resolved.image, "resolutionTime": stamp(kept.resolved.at)}
    return said


def _units(provision: Provision | None, which: Callable[[Provision], int]) -> int | None:
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


def _dated(seen: Observed, new: dict[str, Any]) -> dict[str, Any]:
    """`lastModifiedTime` moves with what SageMaker would call a change: the state, what serves, a failure."""
    same = all(seen.status.get(k) == new.get(k) for k in ("endpointStatus", "route", "endpointConfigName", "failedRevision"))
    before = seen.status.get("lastModifiedTime")
    return new | {"lastModifiedTime": before if same and before else stamp(seen.now)}


# --- Counts are not worth a write each


_COUNTS = ("currentInstanceCount", "desiredInstanceCount", "warmInstanceCount", "demandInstanceCount", "currentServerlessConfig", "currentCapacity")
_MOMENTS = ("lastScheduledAction", "nextScheduledAction")


def only_counts_differ(new: dict[str, Any], old: Any) -> bool:
    """Whether a write would tell nothing but numbers of pods, moments that changed no bound, or the HPA's words: each write wakes every activator's watch."""
    return new != old and _without_counts(new) == _without_counts(old)


def _without_counts(value: Any) -> dict[str, Any]:
    """`currentServerlessConfig` counts what is reached; all else in it stands in the route, too."""
    beside = (*_COUNTS, *_MOMENTS)
    kept = {name: [{k: v for k, v in entry.items() if k not in beside} for entry in value.get(name) or ()] for name in ("productionVariants", "autoscaling")}
    said = [{k: v for k, v in x.items() if x.get("type") != c.SCALING_ACTIVE or k not in ("reason", "message")} for x in value.get("conditions") or ()]
    return dict(value) | kept | {"conditions": said}
