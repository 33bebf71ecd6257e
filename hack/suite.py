"""What `make check`, `make test` and `make journeys` run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hack import cluster, devenv, engine, images, lock, paths, shell, toolbox
from hack.steps import Trouble, done, say, silent_unless_it_fails

FAST, JOURNEYS = ("tests/unit", "tests/wiring"), ("tests/e2e",)
CHART = paths.ROOT / "charts" / "kindler"


def static() -> None:
    """Everything that looks at files alone. All of it runs before Trouble is raised, so that one look shows all that is wrong."""
    devenv.ensure()
    toolbox.ensure("helm")
    failures = []
    for what, command in _looks():
        try:
            shell.run(command, "check", cwd=paths.ROOT)
            done(what)
        except Trouble as error:
            say(f"✗ {what}")
            failures.append(str(error))
    if failures:
        raise Trouble("\n✗ ".join(failures))


def _looks() -> list[tuple[str, list[str | Path]]]:
    tools, helm = devenv.HOME / "bin", toolbox.TOOLS["helm"].path()
    return [
        ("format", [tools / "ruff", "format", "--check", "--quiet", "."]),
        ("lint", [tools / "ruff", "check", "--quiet", "."]),
        ("types", [tools / "mypy", "--no-error-summary", "-p", "kindler", "-p", "hack"]),
        ("import laws", [tools / "lint-imports"]),
        ("generated files", [devenv.PYTHON, "-m", "hack.generate", "--check"]),
        ("chart: helm lint", [helm, "lint", "--strict", CHART]),
        (
            "chart: helm template",
            [helm, "template", "kindler", CHART, "--namespace", "kindler-system", "--include-crds"],
        ),
    ]


def check() -> int:
    """`make check`: static, then the tests that need no cluster. Exit status of pytest."""
    static()
    return pytest(FAST, inside=False)


def pytest(folders: Sequence[str], *, inside: bool, extra: Sequence[str] = ()) -> int:
    """One run of pytest over the folders, its output straight to the reader; `inside`: where the cluster can be reached."""
    present = [folder for folder in folders if (paths.ROOT / folder).is_dir()]
    words = [str(devenv.PYTHON), "-m", "pytest", "--durations=10", *extra, *present]
    env = shell.environment(cluster.environment() if inside else None)
    command = cluster.inside(words) if inside else words
    process = shell.start(command, cwd=paths.ROOT, env=env)
    try:
        return process.wait()
    except BaseException:
        process.terminate()
        process.wait()
        raise


def test(*, keep: bool) -> int:
    """`make test`: all that CI runs, on a fresh cluster that is gone at the end (unless `keep`). pytest's summary is the last that is said."""
    static()
    try:
        cluster.up(fresh=True)
        images.ensure(_engine())
        status = pytest(FAST + JOURNEYS, inside=True)
    finally:
        if not keep:
            with silent_unless_it_fails():
                cluster.down()
    return status


def journeys(extra: Sequence[str]) -> int:
    """`make journeys`: the journeys alone, on the cluster that is up, with images as the files are now."""
    devenv.ensure()
    with lock.held(paths.NAME, "hack journeys"):
        cluster.up()
        images.ensure(_engine())
    return pytest(JOURNEYS, inside=True, extra=extra)


def _engine() -> engine.Engine:
    found = engine.find()
    if found is None:
        raise Trouble("the engine has gone: run `make up`")
    return found
