"""The picture of one cold start benchmark: every sample of each arm as a dot, its median as a bar."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams["svg.hashsalt"] = "kindler"  # the same figures give the same file

from matplotlib import pyplot  # noqa: E402

LABELS = {
    "kindler": "Kindler\n(through the activator)",
    "service": "Deployment\n+ Service",
    "floor": "floor\n(pod asked directly)",
}


def draw(facts: dict[str, Any], file: Path) -> None:
    """`facts` as in coldstart.json."""
    arms = list(facts["samples"])
    figure, axes = pyplot.subplots(figsize=(7, 3.2), layout="constrained")
    for row, arm in enumerate(reversed(arms)):
        values = facts["samples"][arm]
        median = statistics.median(values)
        axes.barh(row, median, height=0.55, color="#9ecae1" if arm == "kindler" else "#d9d9d9")
        axes.plot(values, [row] * len(values), "o", color="#08306b", markersize=3, alpha=0.5)
        axes.annotate(f"{median:.0f} ms", (max(values), row), xytext=(8, 0), textcoords="offset points", va="center")
    axes.set_yticks(range(len(arms)), [LABELS[arm] for arm in reversed(arms)])
    axes.set_title(
        f"First answer at zero, ms: median and all {len(facts['samples'][arms[0]])} cold starts",
        loc="left",
        fontsize=10,
    )
    axes.set_xlim(0, 1.2 * max(max(values) for values in facts["samples"].values()))
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(file, metadata={"Date": None})
    pyplot.close(figure)
