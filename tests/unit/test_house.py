"""Structure of the repository: rules that every part of the code must follow."""

from __future__ import annotations

import operator
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_operator_folder_is_not_a_package() -> None:
    """An operator/__init__.py would shadow the standard library's `operator`.

    Every program that runs in the repository's root would then import the wrong module.
    """
    assert not (ROOT / "operator" / "__init__.py").exists()
    assert operator.itemgetter(0)("ab") == "a"
