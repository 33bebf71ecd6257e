"""Writes docs/reference/hpa-and-aws.md from docs/figures/hpa.json (sizes of the real HPAs) and from AWS's rule.

python3 -m hack.bench.hpa.page
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import groupby
from pathlib import Path

from hack.bench.hpa import aws
from hack.bench.hpa.cases import CASES, Case

ROOT = Path(__file__).parents[3]
FIGURES, PAGE = ROOT / "docs" / "figures" / "hpa.json", ROOT / "docs" / "reference" / "hpa-and-aws.md"

MINUTES = 60  # how long each load lasts in AWS's rule: long enough that its size does not change any more

INTRO = """<!-- Written by `make campaign ARGS=hpa`: the series are in hack/bench/hpa/cases.py. -->
# The HPA and AWS's rule

A HorizontalPodAutoscaler sizes Kindler's warm pool; Application Auto Scaling sizes SageMaker's provisioned concurrency.
This page compares them. The same series of loads went through real HPAs (Kubernetes {version}, written as Kindler
writes them) and through the rule that AWS documents ([hack/bench/hpa/aws.py](../../hack/bench/hpa/aws.py)). Where
nothing is documented for SageMaker, that file uses estimates taken from Lambda's provisioned concurrency. Where Kindler
must compute sizes itself, `core/autoscaling/tracking.py` does so. It computes the HPA's sizes in each of the {count}
series below, except the one with a tolerance of its own, and a test checks that.

The sizes are units of provisioned concurrency, at the end of each load: for the HPA after four syncs (every 2 s here;
every 15 s by default), for AWS's rule after an hour. **{same} of {compared} series end with the same sizes.** Loads are
concurrent executions. `a / b` are the loads of several policies, and `∅` is no data. The target is 0.7 unless the name
contains another target. Several policies have the targets 0.7, 0.5 and 1.
"""

# Rows of the last table: the subject, what the HPA does as Kindler writes it, and what AWS does.
TIMES = (
    (
        "scale-out",
        "at its next sync: after 15 s at most",
        "not documented; Lambda: after 3 datapoints of one minute above the target",
    ),
    (
        "a burst shorter than a minute",
        "counts in proportion to the part of the minute that it fills",
        "the same; by the same estimate, three minutes in a row must be above the target",
    ),
    (
        "scale-in",
        "when no recommendation of the last `scaleInCooldown` seconds was higher (default 300)",
        "not documented; Lambda: after 15 datapoints below 90 % of the target",
    ),
    (
        "`scaleInCooldown`",
        "see above; of several policies the largest cooldown counts",
        "the least time between two scale-ins",
    ),
    (
        "`scaleOutCooldown`",
        "no effect: the load does not depend on the size, so the next sync does not recommend a larger size",
        "during this time, only a larger scale-out can follow",
    ),
    (
        "idle endpoint",
        "its load is 0, so it scales in to the minimum after the cooldown",
        "it has no datapoints and keeps its size",
    ),
    (
        "bounds of a scheduled action",
        "apply at its time, also while the metric is missing",
        "apply at its time",
    ),
)

NOTES = {
    "10 % band": """
The band is a setting of the cluster (`--horizontal-pod-autoscaler-tolerance`). In newer Kubernetes (measured on
{version}) an HPA can have its own tolerance. With a tolerance of 0 for scale-up, the HPA ends at the same size as AWS:
see the last series. Kindler does not write this field, because older clusters drop it, and then the same Endpoint
would scale differently.
""",
    "customized": """
If a customized metric does not fall when the pool grows, the pool reaches its maximum within a few syncs, because
each sync computes ceil(size x metric / target) again. In AWS the pool also reaches its maximum, but later, because
`ScaleOutCooldown` passes between two steps. So track a metric that is per unit. These series multiply the metric by
the desired size. Kindler's metrics server multiplies it by the number of existing pods, so that pods that are still
starting do not count twice.
""",
}


def sizes_by_aws(case: Case) -> list[int] | None:
    """The size that AWS's rule computes in each step; None if a size of 0 occurs, which AWS does not have."""
    if case.start == 0 or any(low == 0 for low, _ in case.bounds()):
        return None
    policies = [aws.Policy(target, disable_scale_in=not case.scale_in) for target in case.targets]
    variant = aws.Variant(policies, aws.Bounds(case.low * case.per, case.high * case.per), case.start * case.per)
    sizes = []
    for step, (low, high) in zip(case.steps, case.bounds(), strict=True):
        variant.bounds = aws.Bounds(low * case.per, high * case.per)
        for _ in range(MINUTES):
            points = [_point(load, variant.size, case.customized) for load in step.loads]
            variant.add_minute(points, scale_in=case.scale_in, scale_out=case.scale_out)
        sizes.append(variant.size)
    return sizes


def _point(load: float | None, size: int, customized: bool) -> Fraction | None:
    """The utilization of one minute; None for an endpoint without requests, which has no datapoint in AWS."""
    if not load:
        return None
    exact = Fraction(str(load))
    return exact if customized else exact / size


def render(version: str, real: Mapping[str, Sequence[int]]) -> str:
    """The text of the page. `version`: that of Kubernetes. `real`: key of each case → the HPA's sizes in pods."""
    pairs = [(case, [size * case.per for size in real[case.key]], sizes_by_aws(case)) for case in CASES]
    compared = [(units, by_aws) for _, units, by_aws in pairs if by_aws is not None]
    same = sum(units == by_aws for units, by_aws in compared)
    parts = [INTRO.format(version=version, count=len(CASES), same=same, compared=len(compared))]
    for group, rows in groupby(pairs, key=lambda pair: pair[0].group):
        parts.append(f"\n## {group[0].upper()}{group[1:]}\n\n" + "\n".join(_table(rows)) + "\n")
        parts.append(NOTES.get(group, "").format(version=version))
    times = [f"| {what} | {hpa} | {aws_does} |" for what, hpa, aws_does in TIMES]
    head = "| | HPA, as Kindler writes it | AWS |\n|---|---|---|"
    return "".join(parts) + "\n".join(["\n## When they scale\n", head, *times]) + "\n"


def _table(rows: Iterator[tuple[Case, list[int], list[int] | None]]) -> Iterator[str]:
    yield "| series | from | loads | HPA | AWS | why they differ |\n|---|---|---|---|---|---|"
    for case, units, by_aws in rows:
        sizes = "–" if by_aws is None else _list(by_aws)
        mark = "**" if by_aws is not None and by_aws != units else ""
        start = case.start * case.per
        yield f"| {case.name} | {start} | {_loads(case)} | {_list(units)} | {mark}{sizes}{mark} | {case.differs} |"


def _list(sizes: Sequence[int]) -> str:
    return ", ".join(map(str, sizes))


def _loads(case: Case) -> str:
    """The loads of each step, and the new bounds if they change in this step."""
    words, before = [], (case.low, case.high)
    for step, bounds in zip(case.steps, case.bounds(), strict=True):
        word = " / ".join("∅" if load is None else f"{load:g}" for load in step.loads)
        change = f" (in {bounds[0] * case.per} … {bounds[1] * case.per})" if bounds != before else ""
        words.append(word + change)
        before = bounds
    return ", ".join(words)


def main() -> None:
    figures = json.loads(FIGURES.read_text())
    PAGE.write_text(render(figures["kubernetes"], figures["sizes"]))


if __name__ == "__main__":
    main()
