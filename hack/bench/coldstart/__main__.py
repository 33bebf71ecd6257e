"""Measures cold starts: how long the first request waits when no pod runs (`make bench-coldstart`).

The three arms (arms.py) take turns in one run. Prints a table, and writes coldstart.json and coldstart.svg. The last
line is the ratio of Kindler's median to that of a Deployment with a Service. Runs in the cluster's network.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
from pathlib import Path
from typing import Any

from hack.bench.coldstart import plot
from hack.bench.coldstart.arms import ARMS, Bench, Sample
from hack.kubeapi import KubeApi

Json = dict[str, Any]

WHAT = {
    "kindler": "first request at zero, through the activator",
    "service": "the same pod, behind a Deployment and a Service",
    "floor": "the same pod, requested directly",
}


def summary(samples: list[Sample]) -> Json:
    """Median, 90th percentile (nearest rank) and range of `first`; the median of each phase that every sample has."""
    firsts = sorted(sample.first for sample in samples)
    names = [name for name in samples[0].phases if all(name in sample.phases for sample in samples)]
    return {
        "n": len(firsts),
        "median": round(statistics.median(firsts), 1),
        "p90": round(firsts[-(-len(firsts) * 9 // 10) - 1], 1),
        "min": round(firsts[0], 1),
        "max": round(firsts[-1], 1),
        "phases": {name: round(statistics.median(sample.phases[name] for sample in samples), 1) for name in names},
    }


def table(results: dict[str, Json]) -> str:
    lines = [f"{'':56}{'n':>4}{'median':>9}{'p90':>9}{'min':>9}{'max':>9}   ms"]
    for arm in ARMS:
        r = results[arm]
        columns = "".join(f"{r[name]:9.0f}" for name in ("median", "p90", "min", "max"))
        phases = " · ".join(f"{name} {value:g}" for name, value in r["phases"].items())
        lines += [f"{arm:8}{WHAT[arm]:48}{r['n']:4}{columns}", f"        {phases}"]
    return "\n".join(lines)


def measure(runs: int) -> dict[str, list[Sample]]:
    """Measures `runs` cold starts of each arm. Each round starts with another arm than the round before."""
    bench = Bench(KubeApi(), os.environ["KINDLER_GATEWAY"])
    bench.set_up()
    samples: dict[str, list[Sample]] = {arm: [] for arm in ARMS}
    try:
        for number in range(runs + 1):
            for arm in ARMS[number % 3 :] + ARMS[: number % 3]:
                sample = bench.measure(arm)
                if number:  # the first round does not count, because it fills the caches
                    samples[arm].append(sample)
            last = ", ".join(f"{arm} {samples[arm][-1].first:.0f}" for arm in ARMS if samples[arm])
            print(f"  round {number} of {runs}: {last}", flush=True)
    finally:
        bench.tear_down()
    return samples


def report(samples: dict[str, list[Sample]], folder: Path) -> None:
    """Prints the table, writes JSON and figure, and prints the two ratios as the last lines."""
    results = {arm: summary(samples[arm]) for arm in ARMS}
    to_floor = results["kindler"]["median"] / results["floor"]["median"]
    to_service = results["kindler"]["median"] / results["service"]["median"]
    folder.mkdir(parents=True, exist_ok=True)
    figures = {
        "unit": "ms",
        "machine": f"{os.cpu_count()} cores, {platform.system()} {platform.release().partition('-')[0]}",
        "results": results,
        "ratioToService": round(to_service, 3),
        "ratioToFloor": round(to_floor, 3),
        "samples": {arm: [round(sample.first, 1) for sample in samples[arm]] for arm in ARMS},
    }
    folder.joinpath("coldstart.json").write_text(json.dumps(figures, indent=1) + "\n")
    print(table(results))
    plot.draw(figures, folder / "coldstart.svg")
    print(f"written: {folder}/coldstart.json, {folder}/coldstart.svg")
    print(f"ratio to floor: {to_floor:.2f}")
    print(f"ratio to Deployment+Service: {to_service:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench-coldstart", description="Measures cold starts on the cluster.")
    parser.add_argument("--runs", type=int, default=20, help="cold starts of each arm (default: 20)")
    folder = Path(".kindler/coldstart")
    parser.add_argument("--out", type=Path, default=folder, help=f"folder for the two files (default: {folder})")
    chosen = parser.parse_args()
    report(measure(chosen.runs), chosen.out)


if __name__ == "__main__":
    main()
