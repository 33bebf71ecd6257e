"""docs/reference/hpa-and-aws.md from docs/figures/hpa.json (what the real HPAs did) and from AWS's rule. `python3 -m hack.bench.hpa.page` writes it."""

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

MINUTES = 60  # for which each load stands in AWS's rule: until nothing changes any more

INTRO = """<!-- Written by `make campaign ARGS=hpa`: the series are in hack/bench/hpa/cases.py. -->
# The HPA and AWS's rule

Kindler's warm pool is sized by a HorizontalPodAutoscaler; SageMaker's by Application Auto Scaling. The same series went through real HPAs
(Kubernetes {version}, written as Kindler writes them) and through the rule that AWS documents ([hack/bench/hpa/aws.py](../../hack/bench/hpa/aws.py), with
estimates, taken from Lambda's provisioned concurrency, where nothing is documented for SageMaker). Where Kindler must compute sizes itself it does so by
`core/tracking.py`: in each of the {count} series below it says what the HPA did; a test holds it to that.

Sizes, in units of provisioned concurrency, are what each came to while the load stood: the HPA within a few looks (it looks every 15 s; every 2 s here),
AWS's rule within the hour. **{same} of {compared} series end alike.** Loads are concurrent executions, those of several policies as `a / b`; `∅` is no data.
The target is 0.7 unless the name says another; with several policies they are 0.7, 0.5 and 1.
"""

TIMES = """
## When, rather than how many

| | HPA, as Kindler writes it | AWS |
|---|---|---|
| scales out | at its next look: 15 s at most | not documented; for Lambda after 3 datapoints of one minute above the target |
| a burst shorter than a minute | counts with the part of the minute that it fills | so too; by the same estimate three minutes in a row must be above |
| scales in | when no wish of the last `scaleInCooldown` seconds was higher (300 unless said) | not documented; for Lambda after 15 below 90 % of it |
| `scaleInCooldown` | see above; with several policies the largest | the least time between two scale-ins |
| `scaleOutCooldown` | without effect: the load does not depend on the size, so a second look asks no more | no second increase within it, but a larger one |
| idle | a true 0: to the minimum, after the cooldown | no datapoints: stays as it is |
| bounds of a scheduled action | at the moment, also while the metric is away | at the moment |
"""

NOTES = {
    "10 % band": """
The band is the cluster's (`--horizontal-pod-autoscaler-tolerance`). In newer Kubernetes (tried on {version}) an HPA may name its own; one of 0 for scale-up
ends as AWS does, as the last series shows. Kindler does not write it: older clusters drop the field, and the same Endpoint would scale differently there.
""",
    "customized": """
A customized metric that does not fall as the pool grows takes the pool to its maximum within a few looks: ceil(size x metric / target), again and again.
In AWS it ends there as well, only slower, since `ScaleOutCooldown` lies between two steps. Track something that is per unit.
These series multiply the metric by the size asked for; Kindler's metrics server multiplies by the pods that stand, so that pods which are still starting are
not asked for twice.
""",
}


def sizes_by_aws(case: Case) -> list[int] | None:
    """The size that AWS's rule comes to in each step; None where the case has no counterpart there (a size of 0)."""
    if case.start == 0 or any(low == 0 for low, _ in case.bounds()):
        return None
    policies = [aws.Policy(target, disable_scale_in=not case.scale_in) for target in case.targets]
    variant, sizes = (
        aws.Variant(policies, aws.Bounds(case.low * case.per, case.high * case.per), case.start * case.per),
        [],
    )
    for step, (low, high) in zip(case.steps, case.bounds(), strict=True):
        variant.bounds = aws.Bounds(low * case.per, high * case.per)
        for _ in range(MINUTES):
            points = [_point(load, variant.size, case.customized) for load in step.loads]
            variant.tell(points, scale_in=case.scale_in, scale_out=case.scale_out)
        sizes.append(variant.size)
    return sizes


def _point(load: float | None, size: int, customized: bool) -> Fraction | None:
    """The minute's datapoint: utilization. An endpoint that nobody asks emits none."""
    if not load:
        return None
    exact = Fraction(str(load))
    return exact if customized else exact / size


def render(version: str, real: Mapping[str, Sequence[int]]) -> str:
    pairs = [(case, [size * case.per for size in real[case.key]], sizes_by_aws(case)) for case in CASES]
    compared = [(units, theirs) for _, units, theirs in pairs if theirs is not None]
    same = sum(units == theirs for units, theirs in compared)
    parts = [INTRO.format(version=version, count=len(CASES), same=same, compared=len(compared))]
    for group, rows in groupby(pairs, key=lambda pair: pair[0].group):
        parts.append(f"\n## {group[0].upper()}{group[1:]}\n\n" + "\n".join(_table(rows)) + "\n")
        parts.append(NOTES.get(group, "").format(version=version))
    return "".join(parts) + TIMES


def _table(rows: Iterator[tuple[Case, list[int], list[int] | None]]) -> Iterator[str]:
    yield "| series | from | loads | HPA | AWS | |\n|---|---|---|---|---|---|"
    for case, units, theirs in rows:
        told = "–" if theirs is None else _list(theirs)
        mark = "**" if theirs is not None and theirs != units else ""
        yield f"| {case.name} | {case.start * case.per} | {_loads(case)} | {_list(units)} | {mark}{told}{mark} | {case.differs} |"


def _list(sizes: Sequence[int]) -> str:
    return ", ".join(map(str, sizes))


def _loads(case: Case) -> str:
    words, before = [], (case.low, case.high)
    for step, bounds in zip(case.steps, case.bounds(), strict=True):
        word = " / ".join("∅" if load is None else f"{load:g}" for load in step.loads)
        words.append(word + (f" (in {bounds[0] * case.per} … {bounds[1] * case.per})" if bounds != before else ""))
        before = bounds
    return ", ".join(words)


def main() -> None:
    figures = json.loads(FIGURES.read_text())
    PAGE.write_text(render(figures["kubernetes"], figures["sizes"]))


if __name__ == "__main__":
    main()
