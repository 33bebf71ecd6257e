"""`make simulate` and `python3 -m hack simulate`: options, and the order of the steps."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import yaml
from pydantic import ValidationError

from hack.bench.simulate import arms, report, trace
from hack.bench.simulate.trace import Trace
from hack.bench.simulate.world import Arm, Limits, Sample, World

HELP = """Estimates what provisioned concurrency costs and saves for a day of requests, in virtual time. It compares no
provisioned concurrency, a fixed size, target tracking, a schedule, both together, and your own manifests. It needs no
cluster.

Without --trace it uses a made-up day (quiet at night, a step in the morning, a burst at noon, a slow decline) and makes
schedules from another such day. With --trace, schedules are made from the trace itself; with --known, from an earlier
one."""

SCALE = 10  # concurrency of the made-up morning
SERVICE = 2.0  # mean service time of the made-up day, in seconds


def options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python3 -m hack simulate",
        description=HELP,
        epilog="A trace: " + trace.FORM,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--trace", type=Path, metavar="FILE.csv", help="your requests; see below")
    add("--known", type=Path, metavar="FILE.csv", help="an earlier trace, for fixed size and schedules (default: same)")
    manifest = "an Endpoint with spec.autoscaling, to compare it with the other ways; may be repeated"
    add("--endpoint", type=Path, action="append", default=[], metavar="FILE.yaml", help=manifest)
    add("--memory", type=int, default=2048, metavar="MB", help="memorySizeInMB (default: 2048)")
    add("--max-concurrency", type=int, default=80, metavar="N", help="maxConcurrency (default: 80)")
    add("--per-instance", type=int, default=1, metavar="N", help="maxConcurrencyPerInstance (default: 1)")
    add("--idle-timeout", type=float, default=300, metavar="S", help="idleTimeoutInSeconds (default: 300)")
    cold_start = "seconds from a pod's creation to its first successful ping (default: 8)"
    add("--cold-start", type=float, default=8, metavar="S", help=cold_start)
    service = "seconds of service, for requests of the trace without a value (made-up day: 2 on average)"
    add("--service", type=float, metavar="S", help=service)
    add("--target", type=float, default=0.5, metavar="R", help="targetValue, also of schedules (default: 0.5)")
    add("--fixed", type=int, metavar="N", help="units of the fixed size (default: for the busiest quarter of an hour)")
    add("--seed", type=int, default=1, metavar="N", help="seed of random numbers (default: 1)")
    add("--schedule", action="store_true", help="also print the schedules, as manifests")
    add("--json", type=Path, metavar="FILE", help="write the figures")
    add("--plot", type=Path, metavar="FILE.svg", help="draw load and pods over time")
    return parser


def days(chosen: argparse.Namespace) -> tuple[Trace, Trace]:
    """The day to simulate, and the day from which sizes and schedules are computed. Raises TraceError, OSError."""
    service = chosen.service or SERVICE
    if chosen.trace:
        day = trace.read(chosen.trace, chosen.service, chosen.seed)
    else:
        day = trace.made_up(chosen.seed, service, SCALE)
    if chosen.known:
        return day, trace.read(chosen.known, chosen.service, chosen.seed)
    return day, day if chosen.trace else trace.made_up(chosen.seed + 1, service, SCALE)


def simulate(day: Trace, limits: Limits, compared: Sequence[Arm]) -> dict[str, tuple[report.Json, list[Sample]]]:
    """Name of each arm → its figures and samples."""
    results = {}
    for arm in compared:
        begin = time.monotonic()
        world = World(day, limits, arm)
        results[arm.name] = (report.figures(world.run()), world.samples)
        print(f"  {arm.name}: {time.monotonic() - begin:.1f} s", flush=True)
    return results


def main() -> None:
    chosen = options().parse_args()
    per_instance = chosen.per_instance
    try:
        day, known = days(chosen)
        limits = Limits(
            chosen.memory / 1024, chosen.max_concurrency, per_instance, chosen.idle_timeout, chosen.cold_start
        )
        own = [arms.of_manifest(file) for file in chosen.endpoint]
        compared = [*arms.standard(known, limits, chosen.target, chosen.fixed), *own]
    except (trace.TraceError, arms.ManifestError, ValidationError, OSError, yaml.YAMLError) as error:
        sys.exit(f"✗ {error}")
    title = f"{day.name}: {len(day.requests):,} requests in {day.span / trace.HOUR:.0f} hours"
    print(title, flush=True)
    results = simulate(day, limits, compared)
    numbers = {name: figures for name, (figures, _) in results.items()}
    print(f"\n{report.table(numbers)}")
    if chosen.schedule:
        print("".join(f"\n# {arm.name}\n{_manifest(arm)}" for arm in compared if arm.target is not None))
    if chosen.json:
        written = {"trace": day.name, "requests": len(day.requests), "limits": _limits(chosen), "arms": numbers}
        chosen.json.write_text(json.dumps(written, indent=1) + "\n")
    if chosen.plot:
        report.draw(title, results, chosen.plot)


def _limits(chosen: argparse.Namespace) -> dict[str, float]:
    names = ("memory", "max_concurrency", "per_instance", "idle_timeout", "cold_start", "target", "seed")
    return {name: getattr(chosen, name) for name in names}


def _manifest(arm: Arm) -> str:
    assert arm.target is not None
    written = arm.target.model_dump(by_alias=True, exclude_unset=True, mode="json")
    return yaml.safe_dump({"autoscaling": [written]}, sort_keys=False, width=150)


if __name__ == "__main__":
    main()
