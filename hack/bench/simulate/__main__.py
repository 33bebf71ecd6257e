"""`python3 -m hack simulate`: see the package, and --help."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import yaml
from pydantic import ValidationError

from hack.bench.simulate import arms, report, trace
from hack.bench.simulate.world import Arm, Limits, World

HELP = """What provisioned concurrency would cost and save for a day of requests, in virtual time: of a fixed size, by target, by schedule, by both, and as in
your own manifests. Needs no cluster. Without --trace: a made-up day (night, a step in the morning, a burst at noon, a long tail), with schedules made from
another such day. With --trace, schedules know the day that they are judged on, unless --known tells an earlier one."""


def options() -> argparse.ArgumentParser:
    words = argparse.ArgumentParser(
        prog="python3 -m hack simulate",
        description=HELP,
        epilog="A trace: " + trace.FORM,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    words.add_argument("--trace", type=Path, metavar="FILE.csv", help="requests of your own, see below")
    words.add_argument(
        "--known",
        type=Path,
        metavar="FILE.csv",
        help="an earlier trace, which the fixed size and schedules are made from (default: the same)",
    )
    words.add_argument(
        "--endpoint",
        type=Path,
        action="append",
        default=[],
        metavar="FILE.yaml",
        help="an Endpoint with spec.autoscaling, to be compared too",
    )
    words.add_argument("--memory", type=int, default=2048, metavar="MB", help="memorySizeInMB (default: 2048)")
    words.add_argument("--max-concurrency", type=int, default=80, metavar="N", help="maxConcurrency (default: 80)")
    words.add_argument(
        "--per-instance", type=int, default=1, metavar="N", help="maxConcurrencyPerInstance (default: 1)"
    )
    words.add_argument(
        "--idle-timeout", type=float, default=300, metavar="S", help="idleTimeoutInSeconds (default: 300)"
    )
    words.add_argument(
        "--cold-start",
        type=float,
        default=8,
        metavar="S",
        help="seconds from asking for a pod to its first good ping (default: 8)",
    )
    words.add_argument(
        "--service",
        type=float,
        metavar="S",
        help="seconds of work, where the trace tells none (made-up day: 2 on average)",
    )
    words.add_argument(
        "--target", type=float, default=0.5, metavar="R", help="targetValue (default: 0.5); schedules aim at it, too"
    )
    words.add_argument(
        "--fixed", type=int, metavar="N", help="units of the fixed size (default: for the busiest quarter of an hour)"
    )
    words.add_argument("--seed", type=int, default=1, metavar="N", help="of what is drawn at random (default: 1)")
    words.add_argument("--schedule", action="store_true", help="also print the schedules that were made, as manifests")
    words.add_argument("--json", type=Path, metavar="FILE", help="write the figures")
    words.add_argument("--plot", type=Path, metavar="FILE.svg", help="draw loads and pods over time")
    return words


def main() -> None:
    chosen = options().parse_args()
    try:
        day = (
            trace.read(chosen.trace, chosen.service, chosen.seed)
            if chosen.trace
            else trace.made_up(chosen.seed, chosen.service or 2.0, 10)
        )
        limits = Limits(
            chosen.memory / 1024, chosen.max_concurrency, chosen.per_instance, chosen.idle_timeout, chosen.cold_start
        )
        known = trace.read(chosen.known, chosen.service, chosen.seed) if chosen.known else day
        if not chosen.trace and not chosen.known:
            known = trace.made_up(chosen.seed + 1, chosen.service or 2.0, 10)  # as much alike as two Tuesdays
        compared = [
            *arms.standard(known, limits, chosen.target, chosen.fixed),
            *(arms.of_manifest(file) for file in chosen.endpoint),
        ]
    except (trace.TraceError, arms.ManifestError, ValidationError, OSError, yaml.YAMLError) as error:
        sys.exit(f"✗ {error}")
    print(f"{day.name}: {len(day.requests):,} requests in {day.span / trace.HOUR:.0f} hours", flush=True)
    told = {}
    for arm in compared:
        begin = time.monotonic()
        world = World(day, limits, arm)
        told[arm.name] = (report.figures(world.run()), world.samples)
        print(f"  {arm.name}: {time.monotonic() - begin:.1f} s", flush=True)
    numbers = {name: figures for name, (figures, _) in told.items()}
    print(f"\n{report.table(numbers)}")
    if chosen.schedule:
        print("".join(f"\n# {arm.name}\n{_manifest(arm)}" for arm in compared if arm.target is not None))
    if chosen.json:
        facts = {"trace": day.name, "requests": len(day.requests), "limits": _limits(chosen), "arms": numbers}
        chosen.json.write_text(json.dumps(facts, indent=1) + "\n")
    if chosen.plot:
        report.draw(f"{day.name}, {len(day.requests):,} requests", {name: told[name] for name in told}, chosen.plot)


def _limits(chosen: argparse.Namespace) -> dict[str, float]:
    return {
        name: getattr(chosen, name)
        for name in ("memory", "max_concurrency", "per_instance", "idle_timeout", "cold_start", "target", "seed")
    }


def _manifest(arm: Arm) -> str:
    assert arm.target is not None
    return yaml.safe_dump(
        {"autoscaling": [arm.target.model_dump(by_alias=True, exclude_unset=True, mode="json")]},
        sort_keys=False,
        width=150,
    )


if __name__ == "__main__":
    main()
