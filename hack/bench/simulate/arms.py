"""The ways to provision that are compared: these five, and those in a user's own manifests.

    on demand         nothing is provisioned
    fixed             always the size that the busiest quarter of an hour needs, with a margin for chance
    target tracking   from 1 unit up to the maximum
    schedule          for each hour the size that nine in ten of its minutes need
    both              target tracking, above a minimum for each hour that is enough for half of its minutes

Sizes and schedules are computed from one day and tested on another day, because a user cannot know the next day.
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

LEAD = 2  # a larger size begins this many minutes before its hour, so that its pods are ready in time
QUARTER = 15  # minutes


class ManifestError(ValueError):
    """A file without an Endpoint whose autoscaling can be simulated."""


def standard(known: Trace, limits: Limits, value: float, fixed: int | None) -> Iterator[Arm]:
    """The five arms.

    `known`: the day from which sizes and schedules are computed. `value`: the target utilization. `fixed`: units of
    the fixed size; None: the size that the busiest quarter of an hour needs, with a margin.
    """
    minutes = known.per_minute()
    most = limits.max_concurrency
    busiest = max(sum(minutes[at : at + QUARTER]) / QUARTER for at in range(0, len(minutes), QUARTER))
    needed = math.ceil(busiest + 3 * math.sqrt(busiest))  # Poisson arrivals: 3 sigma
    full, half = hours(minutes, 0.9, value, most), hours(minutes, 0.5, value, most)
    yield Arm("on demand")
    yield Arm("fixed", min(most, needed if fixed is None else fixed))
    yield Arm("target tracking", 0, ScalableTarget.model_validate(entry(1, most, value)))
    yield Arm("schedule", 0, ScalableTarget.model_validate(entry(0, most, None, full)))
    yield Arm("both", 0, ScalableTarget.model_validate(entry(0, most, value, half)))


def of_manifest(file: Path) -> Arm:
    """An arm from the spec.autoscaling of the Endpoint in a file of manifests. Raises ManifestError."""
    documents = yaml.safe_load_all(file.read_text())
    found = [o for o in documents if isinstance(o, dict) and o.get("kind") == "Endpoint"]
    entries = [entry for o in found for entry in o["spec"].get("autoscaling", [])]
    if len(entries) != 1:
        raise ManifestError(f"{file} needs one Endpoint with one entry in spec.autoscaling")
    target = ScalableTarget.model_validate(entries[0])
    for policy in target.scaling_policies or ():
        if policy.target_tracking_scaling_policy_configuration.predefined_metric_specification is None:
            raise ManifestError(
                f"{file}: policy {policy.policy_name} tracks a customized metric. A trace contains concurrency alone, "
                "so it cannot be simulated"
            )
    return Arm(str(file), 0, target)


def entry(low: int, high: int, value: float | None, sizes: Sequence[int] = ()) -> Json:
    """An entry of spec.autoscaling, as a user writes it.

    `value`: the target of a tracking policy, None without a policy. `sizes`: the minimum of each hour of the day.
    """
    written: Json = {"variantName": "AllTraffic", "minCapacity": low, "maxCapacity": high}
    if value is not None:
        metric = {"predefinedMetricType": "SageMakerVariantProvisionedConcurrencyUtilization"}
        policy = {"targetValue": value, "predefinedMetricSpecification": metric}
        written["scalingPolicies"] = [{"policyName": "utilization", "targetTrackingScalingPolicyConfiguration": policy}]
    if sizes:
        written["scheduledActions"] = list(_actions(sizes, fixed=value is None))
    return written


def _actions(sizes: Sequence[int], *, fixed: bool) -> Iterator[Json]:
    """One scheduled action for each change of size.

    `fixed`: each action also sets the maximum, because without a policy only a lower maximum makes a pool smaller.
    """
    for hour, size in enumerate(sizes):
        if size == sizes[hour - 1]:
            continue
        minute, of = (60 - LEAD, (hour - 1) % 24) if size > sizes[hour - 1] else (0, hour)
        sets = {"minCapacity": size} | ({"maxCapacity": size} if fixed else {})
        schedule = f"cron({minute} {of} * * ? *)"
        yield {"scheduledActionName": f"{hour:02}h", "schedule": schedule, "scalableTargetAction": sets}


def hours(minutes: Sequence[float], part: float, value: float, most: int) -> list[int]:
    """Units for each hour of the day, so that in `part` of its minutes (of all days) utilization is at most `value`."""
    per_hour, per_day = round(HOUR / MINUTE), round(24 * HOUR / MINUTE)
    sizes = []
    for hour in range(24):
        found = sorted(load for at, load in enumerate(minutes) if at % per_day // per_hour == hour)
        sizes.append(min(most, math.ceil(found[math.ceil(part * len(found)) - 1] / value)))
    return sizes
