"""Writes the generated files of the repository, or lists those that differ from their source.

    python -m hack.generate            write them
    python -m hack.generate --check    write nothing; exit with status 1 and a list if a file differs

To generate another file, add a row to OUTPUTS. The sources are the models in operator/kindler/api; the text of
reference pages is in reference.py.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import yaml

from hack import reference
from kindler.api import names
from kindler.api.crd import crd
from kindler.api.kinds import KINDS, Kind
from kindler.api.warn import warn_policy

ROOT: Final = Path(__file__).resolve().parent.parent
HEADER: Final = "# Generated from operator/kindler/api by `make generate`: change the models there, not this file.\n"


@dataclass(frozen=True, slots=True)
class Output:
    """A generated file. `path`: from the root of the repository. `render`: returns its whole text."""

    path: str
    render: Callable[[], str]


def documents(*values: dict[str, Any]) -> str:
    """YAML documents after the header. The same values give the same text."""
    return HEADER + "---\n".join(
        yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=1000) for value in values
    )


def render_crd(kind: Kind) -> str:
    return documents(crd(kind))


def render_warnings() -> str:
    return documents(*(document for kind in KINDS for document in warn_policy(kind, "{{ .Release.Name }}")))


OUTPUTS: Final = (
    *(Output(f"crds/{names.GROUP}_{kind.plural}.yaml", partial(render_crd, kind)) for kind in KINDS),
    *(Output(f"charts/kindler/crds/{names.GROUP}_{kind.plural}.yaml", partial(render_crd, kind)) for kind in KINDS),
    Output("charts/kindler/templates/policy-warnings.yaml", render_warnings),
    *(Output(f"docs/reference/{kind.singular}.md", partial(reference.render, kind)) for kind in KINDS),
)


def stale(root: Path, outputs: tuple[Output, ...] = OUTPUTS) -> tuple[str, ...]:
    """Paths of files that are missing or differ from their source."""
    return tuple(
        o.path
        for o in outputs
        if not (root / o.path).is_file() or (root / o.path).read_text(encoding="utf-8") != o.render()
    )


def write(root: Path, outputs: tuple[Output, ...] = OUTPUTS) -> tuple[str, ...]:
    """Writes the stale files. Returns their paths."""
    written = stale(root, outputs)
    for output in outputs:
        if output.path in written:
            target = root / output.path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(output.render(), encoding="utf-8")
    return written


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m hack.generate", description="Writes every generated file of the repository."
    )
    parser.add_argument("--check", action="store_true", help="write nothing; exit with status 1 if a file is stale")
    if not parser.parse_args().check:
        written = write(ROOT)
        print("\n".join(f"wrote {path}" for path in written) or f"{len(OUTPUTS)} generated files are up to date")
        return 0
    if old := stale(ROOT):
        print(
            "These generated files differ from their source:",
            *(f"  {path}" for path in old),
            "Run `make generate` and commit them.",
            sep="\n",
            file=sys.stderr,
        )
        return 1
    print(f"{len(OUTPUTS)} generated files are up to date")
    return 0


if __name__ == "__main__":
    sys.exit(main())
