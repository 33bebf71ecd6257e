"""The picture of one warm pool that followed its load (tests/e2e/test_autoscaling.py): the metric that its HPA read, and its size beside it.

.venv/bin/python -m hack.scaling_plot      takes the last run's figures over into docs/figures, and draws them
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams["svg.hashsalt"] = "kindler"  # the same figures give the same file

from matplotlib import pyplot  # noqa: E402

SOURCE, TARGET = Path(".kindler/figures/autoscaling.json"), Path("docs/figures/autoscaling.json")


def draw(facts: dict[str, Any], file: Path) -> None:
    """`facts`: perPod and target, and as [seconds, value] `load` (executions, their average over a minute) and `sizes` (pods, from then on)."""
    per_pod, target = facts["perPod"], facts["target"]
    end = max(seconds for seconds, _ in facts["load"])
    sizes = [*((max(0.0, seconds), pods) for seconds, pods in facts["sizes"]), (end, facts["sizes"][-1][1])]
    figure, axes = pyplot.subplots(figsize=(8, 3.6), layout="constrained")
    times, pods = zip(*sizes, strict=True)
    axes.step(
        times, [per_pod * count for count in pods], where="post", color="#08306b", label="provisioned concurrency"
    )
    axes.fill_between(
        times,
        [per_pod * target * count for count in pods],
        step="post",
        color="#c6dbef",
        label=f"{target:.0%} of it, the target",
    )
    known = [(seconds, value) for seconds, value in facts["load"] if value is not None]
    axes.plot(*zip(*known, strict=True), color="#d94801", label="executions, average of a minute")
    axes.set_xlim(0, end)
    axes.set_ylim(0)
    axes.set_xlabel("seconds")
    axes.set_title("A warm pool and its load, as the HPA saw it", loc="left", fontsize=10)
    axes.legend(frameon=False, fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(file, metadata={"Date": None})
    pyplot.close(figure)


if __name__ == "__main__":
    TARGET.write_bytes(SOURCE.read_bytes())
    draw(json.loads(TARGET.read_text()), TARGET.with_suffix(".svg"))
