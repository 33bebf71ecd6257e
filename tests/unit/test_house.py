"""What the house must be like, whatever is built in it."""

from __future__ import annotations

import operator
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_operator_is_a_source_root_and_no_package() -> None:
    """An operator/__init__.py would shadow the standard library's `operator` for everything that runs from the repository's root."""
    assert not (ROOT / "operator" / "__init__.py").exists()
    assert operator.itemgetter(0)("ab") == "a"
