"""The ways to provision that are compared. Whoever brings manifests of Endpoints gets those compared, too.

on demand         nothing is provisioned
fixed             the size that the busiest quarter of an hour needs, with room for chance, always
target tracking   from 1 up
schedule          each hour's size: what nine in ten of its minutes need
both              the schedule's minimum at what half of its minutes need, and target tracking above it

Sizes and schedules are written by somebody who knows another day, like the one that they are judged on: nobody knows the day that comes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from hack.bench.simulate.trace import HOUR, MINUTE, Trace
from hack.bench.simulate.world import Arm, Limits
from kindler.api.autoscaling import ScalableTarget

Json = dict[str, Any]

LEAD = 2  # minutes that a schedule is ahead of the hour, so that pods are up when it begins


class ManifestError(ValueError):
    """A file that holds no Endpoint whose autoscaling can be simulated."""


def standard(known: Trace, limits: Limits, value: float, fixed: int | None) -> Iterator[Arm]:
    """`known`: the day that sizes and schedules are made from. `value`: the utilization that is aimed at. `fixed`: units of the fixed size; None: see above."""
    minutes = known.per_minute()
    most = limits.max_concurrency
    busiest = max(sum(minutes[at : at + 15]) / 15 for at in range(0, len(minutes), 15))
    yield Arm("on demand")
    yield Arm(
        "fixed", min(most, fixed if fixed is not None else math.ceil(busiest + 3 * math.sqrt(busiest)))
    )  # arrivals by chance: 3 sigma
    yield Arm("target tracking", 0, ScalableTarget.model_validate(entry(1, most, value)))
    yield Arm("schedule", 0, ScalableTarget.model_validate(entry(0, most, None, hours(minutes, 0.9, value, most))))
    yield Arm("both", 0, ScalableTarget.model_validate(entry(0, most, value, hours(minutes, 0.5, value, most))))


def of_manifest(file: Path) -> Arm:
    """The Endpoint in a file of manifests, by its spec.autoscaling. Raises ManifestError."""
    found = [o for o in yaml.safe_load_all(file.read_text()) if isinstance(o, dict) and o.get("kind") == "Endpoint"]
    entries = [entry for o in found for entry in o["spec"].get("autoscaling", [])]
    if len(entries) != 1:
        raise ManifestError(f"{file}: needs one Endpoint with one entry in spec.autoscaling")
    target = ScalableTarget.model_validate(entries[0])
    for policy in target.scaling_policies or ():
        if policy.target_tracking_scaling_policy_configuration.predefined_metric_specification is None:
            raise ManifestError(
                f"{file}: policy {policy.policy_name}: a trace tells concurrency alone, so customized metrics cannot be simulated"
            )
    return Arm(str(file), 0, target)


def entry(low: int, high: int, value: float | None, sizes: Sequence[int] = ()) -> Json:
    """An entry of spec.autoscaling, as a user writes it. `value`: of a target tracking policy. `sizes`: the minimum of each hour of the day."""
    written: Json = {"variantName": "AllTraffic", "minCapacity": low, "maxCapacity": high}
    if value is not None:
        metric = {"predefinedMetricType": "SageMakerVariantProvisionedConcurrencyUtilization"}
        policy = {"targetValue": value, "predefinedMetricSpecification": metric}
        written["scalingPolicies"] = [{"policyName": "utilization", "targetTrackingScalingPolicyConfiguration": policy}]
    if sizes:
        written["scheduledActions"] = list(_actions(sizes, fixed=value is None))
    return written


def _actions(sizes: Sequence[int], *, fixed: bool) -> Iterator[Json]:
    """One wherever the size changes. `fixed`: without a policy nothing but the maximum makes the pool smaller."""
    for hour, size in enumerate(sizes):
        if size == sizes[hour - 1]:
            continue
        minute, of = (60 - LEAD, (hour - 1) % 24) if size > sizes[hour - 1] else (0, hour)
        sets = {"minCapacity": size} | ({"maxCapacity": size} if fixed else {})
        yield {
            "scheduledActionName": f"{hour:02}h",
            "schedule": f"cron({minute} {of} * * ? *)",
            "scalableTargetAction": sets,
        }


def hours(minutes: Sequence[float], part: float, value: float, most: int) -> list[int]:
    """Units for each hour of the day: so many that `part` of its minutes (of all days) are used to `value` at most."""
    per_hour, per_day = round(HOUR / MINUTE), round(24 * HOUR / MINUTE)
    sizes = []
    for hour in range(24):
        found = sorted(load for at, load in enumerate(minutes) if at % per_day // per_hour == hour)
        sizes.append(min(most, math.ceil(found[math.ceil(part * len(found)) - 1] / value)))
    return sizes
