"""What `make check`, `make test` and `make journeys` run. The tests themselves are in tests/."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hack import cluster, devenv, engine, images, lock, paths, shell, toolbox
from hack.docker import Engine
from hack.steps import CommandError, done, say, silent_unless_it_fails

FAST, JOURNEYS = ("tests/unit", "tests/wiring"), ("tests/e2e",)
CHART = paths.ROOT / "charts" / "kindler"


def check() -> int:
    """`make check`: the static checks, then the tests that need no cluster. Returns pytest's exit status."""
    static()
    return pytest(FAST, on_cluster=False)


def static() -> None:
    """Runs all checks that only read files. Raises CommandError after the last one, so one run shows all failures."""
    devenv.ensure()
    toolbox.ensure(toolbox.TOOLS["helm"])
    failures = []
    for what, command in _static_checks():
        try:
            shell.run(command, "check", cwd=paths.ROOT)
            done(what)
        except CommandError as error:
            say(f"✗ {what}")
            failures.append(str(error))
    if failures:
        raise CommandError("\n✗ ".join(failures))


def _static_checks() -> list[tuple[str, list[str | Path]]]:
    """(what is printed, command line)."""
    tools, helm = devenv.HOME / "bin", toolbox.TOOLS["helm"].path()
    template: list[str | Path] = [helm, "template", "kindler", CHART, "--namespace", "kindler-system", "--include-crds"]
    return [
        ("format", [tools / "ruff", "format", "--check", "--quiet", "."]),
        ("lint", [tools / "ruff", "check", "--quiet", "."]),
        ("types", [tools / "mypy", "--no-error-summary", "-p", "kindler", "-p", "hack"]),
        ("import laws", [tools / "lint-imports"]),
        ("generated files", [devenv.PYTHON, "-m", "hack.generate", "--check"]),
        ("chart: helm lint", [helm, "lint", "--strict", CHART]),
        ("chart: helm template", template),
    ]


def test(*, keep: bool) -> int:
    """`make test`: all that CI runs, on a fresh cluster. Returns pytest's exit status.

    Removes the cluster at the end, unless `keep` is true. A successful removal prints nothing, so that pytest's summary
    is the last output.
    """
    static()
    try:
        cluster.up(fresh=True)
        images.ensure(_engine())
        status = pytest(FAST + JOURNEYS, on_cluster=True)
    finally:
        if not keep:
            with silent_unless_it_fails():
                cluster.down()
    return status


def journeys(extra: Sequence[str]) -> int:
    """`make journeys`: the tests on the cluster that is up, with images of the files as they are now.

    `extra` goes to pytest. Returns its exit status.
    """
    devenv.ensure()
    with lock.held(paths.NAME, "hack journeys"):
        cluster.up()
        images.ensure(_engine())
    return pytest(JOURNEYS, on_cluster=True, extra=extra)


def pytest(folders: Sequence[str], *, on_cluster: bool, extra: Sequence[str] = ()) -> int:
    """Runs pytest, and returns its exit status. `on_cluster`: run it with the cluster's network and environment."""
    present = [folder for folder in folders if (paths.ROOT / folder).is_dir()]
    argv = [str(devenv.PYTHON), "-m", "pytest", "--durations=10", *extra, *present]
    env = shell.environment(cluster.environment() if on_cluster else None)
    process = shell.start(cluster.in_network(argv) if on_cluster else argv, cwd=paths.ROOT, env=env)
    try:
        return process.wait()
    except BaseException:
        process.terminate()
        process.wait()
        raise


def _engine() -> Engine:
    found = engine.find()
    if found is None:
        raise CommandError("the Docker engine has stopped: run `make up`")
    return found
