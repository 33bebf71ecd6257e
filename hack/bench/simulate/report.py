"""The results of a simulation: a table to read, figures for JSON, and an SVG figure of load and pods over time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from hack.bench import plotting
from hack.bench.simulate.world import Counts, Sample

Json = dict[str, Any]

HOUR = 3600.0
WIDTH, STRIP_HEIGHT, REST_HEIGHT = 9, 1.45, 1.0  # inches
PIECES = 288  # the most pieces of a strip: in a day each piece is 5 minutes
HEAD = "| | GB-hours provisioned | on demand | together | spill-over | cold starts | throttled |"


def figures(counts: Counts) -> Json:
    """The numbers of one arm. `spilloverShare` is the part of the served requests that spilled over."""
    served = counts.warm + counts.spilled
    return {
        "requests": served + counts.throttled,
        "throttled": counts.throttled,
        "spillover": counts.spilled,
        "spilloverShare": round(counts.spilled / served, 4) if served else 0.0,
        "coldStarts": counts.cold,
        "podsStarted": counts.starts,
        "waitP99Seconds": round(_at(counts.waits, 0.99), 2),
        "waitMaxSeconds": round(max(counts.waits, default=0.0), 2),
        "provisionedGBHours": round(counts.warm_gb_seconds / HOUR, 1),
        "demandGBHours": round(counts.demand_gb_seconds / HOUR, 1),
        "busyGBHours": round(counts.busy_gb_seconds / HOUR, 1),
    }


def _at(values: Sequence[float], part: float) -> float:
    return sorted(values)[min(len(values) - 1, int(part * len(values)))] if values else 0.0


def table(arms: dict[str, Json]) -> str:
    """One row for each arm, in Markdown, which is readable in a terminal too."""
    rows = [HEAD, "|---|---|---|---|---|---|---|"]
    for name, f in arms.items():
        spilled = f"{100 * f['spilloverShare']:.1f} %" if f["provisionedGBHours"] else "–"
        together = f["provisionedGBHours"] + f["demandGBHours"]
        gb_hours = f"{f['provisionedGBHours']:,} | {f['demandGBHours']:,} | {together:,.0f}"
        rows.append(f"| {name} | {gb_hours} | {spilled} | {f['coldStarts']:,} | {f['throttled']:,} |")
    return "\n".join(rows)


def draw(title: str, arms: dict[str, tuple[Json, list[Sample]]], file: Path) -> None:
    """One strip for each arm: warm pods as an area, demand pods on top of it, the load as a line."""
    height = REST_HEIGHT + STRIP_HEIGHT * len(arms)
    figure, strips = pyplot.subplots(
        len(arms), sharex=True, sharey=True, figsize=(WIDTH, height), layout="constrained", squeeze=False
    )
    for axes, (name, (numbers, samples)) in zip(strips[:, 0], arms.items(), strict=True):
        _strip(axes, samples)
        gb_hours = f"{numbers['provisionedGBHours'] + numbers['demandGBHours']:,.0f} GB-hours"
        axes.set_title(f"{name}: {gb_hours}, {numbers['coldStarts']:,} cold starts", fontsize=9, pad=3)
    last = strips[-1, 0]
    hours = max(sample.at for _, samples in arms.values() for sample in samples) / HOUR
    last.set_xlim(0, hours)
    last.set_xticks(range(0, round(hours) + 1, max(1, round(hours / 8))))
    last.set_xlabel("time, hours")
    figure.supylabel("number of pods, and of concurrent requests", fontsize=9, color=plotting.TEXT)
    handles, labels = last.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=9, frameon=False)
    figure.suptitle(title, x=0.02, ha="left", fontsize=11)
    plotting.save(figure, file)


def _strip(axes: Axes, samples: Sequence[Sample]) -> None:
    """Draws the samples in at most PIECES pieces: the most pods and the average load of each."""
    size = max(1, -(-len(samples) // PIECES))
    pieces = [samples[at : at + size] for at in range(0, len(samples), size)]
    hours = [piece[-1].at / HOUR for piece in pieces]
    warm = [max(sample.warm for sample in piece) for piece in pieces]
    together = [max(sample.warm + sample.demand for sample in piece) for piece in pieces]
    load = [sum(sample.load for sample in piece) / len(piece) for piece in pieces]
    edges = [0, *hours]
    axes.stairs(warm, edges, fill=True, color=plotting.WARM, label="warm pods")
    axes.stairs(together, edges, baseline=warm, fill=True, color=plotting.DEMAND, label="demand pods")
    axes.plot(hours, load, color=plotting.LOAD, linewidth=0.9, label="concurrent requests")
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
