"""Runs both proxies at once, on one core, and asks them in turn; the generator of load and the model share another core.

Prints a table. The last line is the median ratio of requests per second. Absolute figures depend on the machine and on what else it does: compare ratios.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from hack import paths, shell, toolbox
from hack.bench import tools
from hack.steps import CommandError, say

PODS = ("127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4")
PINNED = "import os, sys; os.sched_setaffinity(0, {int(sys.argv[1])}); os.execv(sys.argv[2], sys.argv[2:])"
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Run:
    """One run through one proxy. Times in microseconds."""

    proxy: str
    connections: int
    per_second: float
    cpu_us: float
    p50_us: float
    p99_us: float


def free_port() -> int:
    """A port that is free on all addresses just now."""
    with socket.socket() as probe:
        probe.bind(("0.0.0.0", 0))
        port: int = probe.getsockname()[1]
        return port


def pinned(core: int, *words: str | Path) -> list[str]:
    """A command on one core, where there are several."""
    cores = sorted(os.sched_getaffinity(0))
    return [sys.executable, "-c", PINNED, str(cores[core % len(cores)]), *map(str, words)]


@dataclass(frozen=True)
class Proxy:
    """A proxy that runs."""

    pid: int
    port: int


@contextmanager
def running(command: list[str], port: int) -> Iterator[Proxy]:
    """The command, from when it listens; ended afterwards."""
    process = shell.start(
        command, env={**os.environ, "GOMAXPROCS": "1", "PYTHONPATH": f"{paths.ROOT}:{paths.ROOT / 'operator'}"}
    )
    try:
        end = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > end:
                    raise CommandError(
                        f"{command[-1]} does not listen on port {port}; is something else there?"
                    ) from None
                time.sleep(0.05)
        yield Proxy(process.pid, port)
    finally:
        process.terminate()
        process.wait()


def cpu_seconds(pid: int) -> float:
    """Processor time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def ask(program: Path, name: str, proxy: Proxy, connections: int, seconds: float) -> Run:
    """One run. Raises CommandError when a request was not answered 200."""
    flags = ["-address", f"127.0.0.1:{proxy.port}", "-connections", str(connections), "-seconds", str(seconds)]
    before = cpu_seconds(proxy.pid)
    done = subprocess.run(
        pinned(1, program, "load", *flags),
        env={**os.environ, "GOMAXPROCS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    used = cpu_seconds(proxy.pid) - before
    told = json.loads(done.stdout)
    if told["failed"] or not told["requests"]:
        raise CommandError(f"{told['failed']} of {told['requests']} requests through {name} failed")
    return Run(
        name,
        connections,
        told["requests"] / told["seconds"],
        used / told["requests"] * 1e6,
        told["p50_us"],
        told["p99_us"],
    )


def pairs(
    program: Path, proxies: dict[str, Proxy], connections: int, seconds: float, count: int
) -> Iterator[dict[str, Run]]:
    """Runs back to back, who is first in turn: what else the machine does meets both."""
    for number in range(count):
        order = list(proxies) if number % 2 else list(reversed(proxies))
        pair = {name: ask(program, name, proxies[name], connections, seconds) for name in order}
        say(
            f"  {connections:3} connections, pair {number + 1} of {count}: {pair['kindler'].per_second / pair['go'].per_second:.2f}"
        )
        yield pair


def table(found: list[dict[str, Run]], connections: int) -> float:
    """Prints the medians; answers the median ratio of requests per second."""
    say(f"\n{connections} connections, 1 KiB up, 1 KiB down    requests/s   CPU us/request    p50 us    p99 us")
    for proxy, name in (("kindler", "Kindler's activator"), ("go", "Go stand-in")):
        runs = [pair[proxy] for pair in found]
        rate, cpu, p50, p99 = (
            statistics.median(getattr(run, column) for run in runs)
            for column in ("per_second", "cpu_us", "p50_us", "p99_us")
        )
        say(f"  {name:38} {rate:10,.0f} {cpu:16.1f} {p50:9.0f} {p99:9.0f}")
    ratios = sorted(pair["kindler"].per_second / pair["go"].per_second for pair in found)
    say(
        f"  ratio of requests/s: median {statistics.median(ratios):.2f}, from {ratios[0]:.2f} to {ratios[-1]:.2f}, {len(ratios)} pairs"
    )
    return statistics.median(ratios)


def main() -> int:
    options = argparse.ArgumentParser(prog="make bench-warm", description=__doc__)
    options.add_argument("--pairs", type=int, default=5)
    options.add_argument("--seconds", type=float, default=2.0, help="of each run")
    options.add_argument("--json", type=Path, help="writes every run there")
    chosen = options.parse_args()
    toolbox.ensure(tools.WARM)
    program = tools.WARM.path()
    pod_port, our_port, their_port = free_port(), free_port(), free_port()
    model = pinned(1, program, "model", "-listen", f"0.0.0.0:{pod_port}")
    ours = pinned(0, sys.executable, "-m", "hack.bench.warm.serve", str(our_port), str(pod_port), *PODS)
    theirs = pinned(
        0,
        program,
        "standin",
        "-listen",
        f"127.0.0.1:{their_port}",
        "-pods",
        ",".join(f"{ip}:{pod_port}" for ip in PODS),
    )
    with running(model, pod_port), running(ours, our_port) as kindler, running(theirs, their_port) as go:
        proxies = {"kindler": kindler, "go": go}
        for name, proxy in proxies.items():
            ask(program, name, proxy, 64, 1)  # warms up
        found = {
            connections: list(pairs(program, proxies, connections, chosen.seconds, chosen.pairs))
            for connections in (64, 1)
        }
    if chosen.json:
        chosen.json.write_text(
            json.dumps([asdict(run) for runs in found.values() for pair in runs for run in pair.values()], indent=1)
        )
    table(found[1], 1)
    say(f"\nratio to Go stand-in: {table(found[64], 64):.2f}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except CommandError as error:
        sys.exit(f"✗ {error}")
