"""Kindler's cluster, images, tests and measurements. You can stop any command at any time and run it again."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass

if sys.version_info < (3, 11):  # noqa: UP036 - `make` runs the python3 of the machine
    sys.exit("Python 3.11 or newer is needed: set PYTHON=/path/to/python3 for make")

from hack import cluster, devenv, engine, images, install, leftovers, lock, paths, shell, suite, toolbox
from hack.bench import commands as bench
from hack.bench import tools as bench_tools
from hack.docker import Engine
from hack.steps import CommandError, done, say

Options = argparse.Namespace


def up(options: Options) -> int:
    cluster.up(nodes=options.nodes, fresh=options.fresh)
    say(f"✓ {paths.NAME} is ready. Use it with `make shell`, or `python3 -m hack run -- kubectl get nodes`")
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
        raise CommandError("no command is given. Usage: python3 -m hack run -- COMMAND")
    cluster.exec_in_network(words)
    return 0


def open_shell(options: Options) -> int:
    cluster.environment()  # raises an error if no cluster is up
    say("kubectl, helm and curl reach the cluster in this shell; $KINDLER_GATEWAY is the activator. `exit` leaves it")
    cluster.exec_in_network([os.environ.get("SHELL", "/bin/sh")])
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
    toolbox.ensure(*toolbox.TOOLS.values(), *engine.sandbox_tools(), *bench_tools.TOOLS)
    return 0


def demo(options: Options) -> int:
    install.prepare("demo")
    cluster.exec_in_network([sys.executable, "-m", "hack.demo.story"])
    return 0


def bench_coldstart(options: Options) -> int:
    return bench.coldstart(options.words)


def bench_warm(options: Options) -> int:
    return bench.warm(options.words)


def campaign(options: Options) -> int:
    return bench.campaign(options.words)


def simulate(options: Options) -> int:
    return bench.simulate(options.words)


def generate(options: Options) -> int:
    devenv.ensure()
    return shell.start([devenv.PYTHON, "-m", "hack.generate", *options.words], cwd=paths.ROOT).wait()


def clean(options: Options) -> int:
    """Removes the cluster and everything of this checkout that can be made again."""
    cluster.down()
    engine.delete_data(paths.NAME)
    for folder in (devenv.HOME, paths.ROOT / ".kindler"):
        shutil.rmtree(folder, ignore_errors=True)
    if options.all:
        shutil.rmtree(paths.cache(), ignore_errors=True)
        done(f"{paths.cache()} is removed: the next `make up` builds every tool again")
    else:
        done(f"clean. {paths.cache()} stays, because all checkouts share it (`make clean ALL=1` removes it)")
    return 0


def _engine() -> Engine:
    found = engine.find()
    if found is None or not cluster.environment():
        raise CommandError(cluster.NO_CLUSTER)
    return found


@dataclass(frozen=True)
class Command:
    """A command of `python3 -m hack`.

    `exclusive`: the command changes the cluster, so only one such command runs at a time. `passes_on`: another program
    gets the arguments of the command, options included.
    """

    action: Callable[[Options], int]
    help: str
    exclusive: bool = False
    passes_on: bool = False


COMMANDS: dict[str, Command] = {
    "up": Command(up, "start this checkout's cluster with its registries; running parts stay", exclusive=True),
    "down": Command(down, "remove the cluster, and restore the machine's settings", exclusive=True),
    "images": Command(build, "build the images that changed and push them to localhost:5000 (as nodes address it)"),
    "load": Command(load, "push one image that you built to that registry"),
    "run": Command(run, "run a command that reaches the cluster: run -- COMMAND"),
    "shell": Command(open_shell, "open a shell in which kubectl, helm and curl reach the cluster"),
    "status": Command(status, "print the environment variables of that shell"),
    "tools": Command(tools, "build every tool into the cache, also those that this machine does not need"),
    "check": Command(check, "run all checks and tests that need no cluster"),
    "test": Command(test, "run all checks and tests, on a fresh cluster", exclusive=True),
    "journeys": Command(journeys, "run only the tests that need a cluster, on the cluster that is up", passes_on=True),
    "demo": Command(demo, "install Kindler and show the life of an endpoint"),
    "bench-coldstart": Command(bench_coldstart, "compare cold starts with a Deployment and a bare pod", passes_on=True),
    "bench-warm": Command(bench_warm, "compare requests per second with a Go reverse proxy", passes_on=True),
    "campaign": Command(campaign, "run the measurements that take too long for CI", passes_on=True),
    "simulate": Command(simulate, "estimate what provisioned concurrency costs; needs no cluster", passes_on=True),
    "generate": Command(generate, "write CRDs and reference pages from the models", passes_on=True),
    "clean": Command(clean, "remove the cluster and all that can be made again", exclusive=True),
}


def parser() -> argparse.ArgumentParser:
    whole = argparse.ArgumentParser(prog="python3 -m hack", description=__doc__)
    commands = whole.add_subparsers(dest="command", required=True, metavar="COMMAND")
    each = {
        name: commands.add_parser(name, help=command.help, description=command.help)
        for name, command in COMMANDS.items()
    }
    each["up"].add_argument("--nodes", type=int, choices=(1, 3), help="default: as many as are up, else 1")
    each["up"].add_argument("--fresh", action="store_true", help="create a new cluster in any case")
    each["load"].add_argument("image")
    each["run"].add_argument("words", nargs=argparse.REMAINDER)
    for name, command in COMMANDS.items():
        if command.passes_on:
            each[name].add_argument("words", nargs=argparse.REMAINDER, help="options of the program behind it")
    each["test"].add_argument("--keep", action="store_true", help="do not remove the cluster at the end")
    each["clean"].add_argument("--all", action="store_true", help="also remove the cache that all checkouts share")
    return whole


def main() -> int:
    words = sys.argv[1:]
    if words and words[0] in COMMANDS and COMMANDS[words[0]].passes_on:
        # These words are not parsed here, because argparse's REMAINDER does not accept an option as the first word.
        options = argparse.Namespace(command=words[0], words=words[1:])
    else:
        options = parser().parse_args(words)
    command = COMMANDS[options.command]
    if not command.exclusive:
        return command.action(options)
    with lock.held(paths.NAME, f"hack {options.command}"):
        leftovers.remove()
        return command.action(options)


def _stop(number: int, frame: object) -> None:
    signal.signal(number, signal.SIG_DFL)  # a second signal ends the process at once
    sys.exit(128 + number)


if __name__ == "__main__":
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, _stop)
    if "MAKELEVEL" in os.environ:
        shell.end_with_parent(signal.SIGTERM)  # if `make` is killed, its command ends too
    try:
        sys.exit(main())
    except CommandError as error:
        sys.exit(f"✗ {error}")
