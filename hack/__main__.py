"""The commands behind `make`. Each may be stopped at any moment and started again."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
from collections.abc import Callable

if sys.version_info < (3, 11):  # noqa: UP036 - run by whatever python3 the machine has
    sys.exit("Python 3.11 or newer is needed: set PYTHON=/path/to/python3 for make")

from hack import cluster, devenv, engine, images, leftovers, lock, paths, programs, shell, suite, toolbox
from hack.steps import Trouble, done, say

Options = argparse.Namespace
SHELL_HINT = "kubectl, helm, curl and KUBECONFIG are as the cluster needs them; `exit` leaves"


def up(options: Options) -> int:
    cluster.up(nodes=options.nodes, fresh=options.fresh)
    say(f"✓ {paths.NAME} is ready: `make shell`, or `python3 -m hack run -- kubectl get nodes`")
    return 0


def down(options: Options) -> int:
    cluster.down()
    return 0


def build(options: Options) -> int:
    for name, tag in images.ensure(_engine()).items():
        say(f"  {name}: {tag}")
    return 0


def load(options: Options) -> int:
    say(f"  {images.load(_engine(), options.image)}")
    return 0


def run(options: Options) -> int:
    words = options.words[1:] if options.words[:1] == ["--"] else options.words
    if not words:
        raise Trouble("run what? python3 -m hack run -- COMMAND")
    cluster.become(words)
    return 0


def shell_inside(options: Options) -> int:
    say(SHELL_HINT)
    cluster.become([os.environ.get("SHELL", "/bin/sh")])
    return 0


def status(options: Options) -> int:
    for name, value in cluster.environment().items():
        say(f"  {name}={value}")
    return 0


def check(options: Options) -> int:
    return suite.check()


def test(options: Options) -> int:
    return suite.test(keep=options.keep)


def journeys(options: Options) -> int:
    return suite.journeys(options.words)


def tools(options: Options) -> int:
    toolbox.ensure(*toolbox.TOOLS)
    return 0


def demo(options: Options) -> int:
    return programs.demo()


def bench_coldstart(options: Options) -> int:
    return programs.bench_coldstart(options.words)


def bench_warm(options: Options) -> int:
    return programs.bench_warm(options.words)


def campaign(options: Options) -> int:
    return programs.campaign(options.words)


def simulate(options: Options) -> int:
    return programs.simulate(options.words)


def generate(options: Options) -> int:
    return programs.generate(options.words)


def clean(options: Options) -> int:
    """Down, and everything of this checkout that can be made again; `--all` also what all checkouts share."""
    cluster.down()
    for folder in (engine.data(paths.NAME), devenv.HOME, paths.ROOT / ".kindler"):
        shutil.rmtree(folder, ignore_errors=True)
    if options.all:
        shutil.rmtree(paths.cache(), ignore_errors=True)
        done(f"{paths.cache()} is removed: the next `make up` builds every tool")
    else:
        done(f"clean; {paths.cache()} stays, which all checkouts share (`make clean ALL=1` removes it)")
    return 0


def _engine() -> engine.Engine:
    found = engine.find()
    if found is None or not cluster.environment():
        raise Trouble("no cluster is up: run `make up` first")
    return found


# Name → what it does, whether it changes the cluster (then one at a time), and one line of help.
COMMANDS: dict[str, tuple[Callable[[Options], int], bool, str]] = {
    "up": (up, True, "engine, node image, cluster, registries; what is there already costs nothing"),
    "down": (down, True, "removes them, and puts the machine back as it was"),
    "images": (build, False, "builds what changed and pushes it to the registry that nodes call localhost:5000"),
    "load": (load, False, "pushes one image to that registry"),
    "run": (run, False, "runs a command where the cluster can be reached: run -- COMMAND"),
    "shell": (shell_inside, False, "a shell there"),
    "status": (status, False, "where things are"),
    "tools": (tools, False, "builds every tool into the cache, also those that this machine does not need"),
    "check": (check, False, "all that needs no cluster"),
    "test": (test, True, "all, on a fresh cluster"),
    "journeys": (journeys, False, "the journeys alone, on the cluster that is up"),
    "demo": (demo, False, "the story of an endpoint, on a cluster where Kindler is installed"),
    "bench-coldstart": (bench_coldstart, False, "cold starts against Deployment + Service and against the floor"),
    "bench-warm": (bench_warm, False, "requests per second through the activator against a Go reverse proxy"),
    "campaign": (campaign, False, "what takes longer than CI may"),
    "simulate": (
        simulate,
        False,
        "what provisioned concurrency would cost and save for a day of requests, also of yours; no cluster needed",
    ),
    "generate": (generate, False, "CRDs and reference pages, from the models"),
    "clean": (clean, True, "down, and removes what can be made again"),
}


# Commands that hand every word behind them to another program, options too.
PASSED_ON = ("journeys", "bench-coldstart", "bench-warm", "campaign", "simulate", "generate")


def parser() -> argparse.ArgumentParser:
    whole = argparse.ArgumentParser(prog="python3 -m hack", description=__doc__)
    commands = whole.add_subparsers(dest="command", required=True, metavar="COMMAND")
    each = {name: commands.add_parser(name, help=text, description=text) for name, (_, _, text) in COMMANDS.items()}
    each["up"].add_argument("--nodes", type=int, choices=(1, 3), help="default: as many as are up, else 1")
    each["up"].add_argument("--fresh", action="store_true", help="a new cluster in any case")
    each["load"].add_argument("image")
    each["run"].add_argument("words", nargs=argparse.REMAINDER)
    for name in PASSED_ON:
        each[name].add_argument("words", nargs=argparse.REMAINDER, help="for the program behind it")
    each["test"].add_argument("--keep", action="store_true", help="leave the cluster up")
    each["clean"].add_argument("--all", action="store_true", help="also the cache that all checkouts share")
    return whole


def main() -> int:
    words = sys.argv[1:]
    if words and words[0] in PASSED_ON:
        options = argparse.Namespace(
            command=words[0], words=words[1:]
        )  # argparse's REMAINDER refuses options that come first
    else:
        options = parser().parse_args(words)
    action, alone, _ = COMMANDS[options.command]
    if not alone:
        return action(options)
    with lock.held(paths.NAME, f"hack {options.command}"):
        leftovers.remove()
        return action(options)


def _stop(number: int, frame: object) -> None:
    signal.signal(number, signal.SIG_DFL)  # a second one ends us at once
    sys.exit(128 + number)


if __name__ == "__main__":
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, _stop)
    if "MAKELEVEL" in os.environ:
        shell.follow_parent(signal.SIGTERM)  # `make` was killed: so was what it ran
    try:
        sys.exit(main())
    except Trouble as error:
        sys.exit(f"✗ {error}")
