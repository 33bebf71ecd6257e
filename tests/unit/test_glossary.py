"""Each word in the names of classes and modules is in docs/glossary.md, and no retired word is used.

A new class or module needs no entry while its name consists of known words. A name with a new word fails the test.
Then use the word that Kubernetes, client-go, Knative, Envoy or SageMaker uses. If they have no word, use the plain
words of the glossary. Only if these do not fit, add the new word to the glossary.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CODE = [*(ROOT / "operator").rglob("*.py"), *(ROOT / "hack").rglob("*.py")]
NAMED = [path for path in CODE if "api" not in path.parts]  # api/ has SageMaker's names of fields
PAGE = (ROOT / "docs" / "glossary.md").read_text()


def section(title: str) -> str:
    """The text below a heading of the glossary, up to the next heading."""
    found = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found, f"docs/glossary.md has no section {title!r}"
    return found[1]


def first_column(title: str) -> list[str]:
    """The first cells of the table of a section."""
    rows = re.findall(r"^\| (.+?) \|", section(title), re.MULTILINE)
    return [cell for cell in rows[1:] if not set(cell) <= set("-| ")]


def words(name: str) -> list[str]:
    """The words of a name in CamelCase or snake_case, in lower case."""
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+", name)]


def class_names() -> Iterator[tuple[str, Path]]:
    """Each class of the code, private ones included."""
    for path in NAMED:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                yield node.name, path


def names() -> dict[str, Path]:
    """Classes and modules by name, with a file in which they are."""
    modules = {path.stem if path.name != "__init__.py" else path.parent.name: path for path in NAMED}
    return modules | dict(class_names())


PLAIN_LIST = section("Plain words in names").rstrip().rpartition("\n\n")[2].split()
PLAIN = set(PLAIN_LIST)
TERMS = {word for cell in first_column("Words") for word in words(cell)}
LISTED = {cell.strip("`") for cell in first_column("Names in the code")}
KNOWN = PLAIN | TERMS | {word for name in LISTED for word in words(name)}
RETIRED = {word for cell in first_column("Retired words") for word in re.findall(r"\w+", cell)}


@pytest.mark.parametrize("name", sorted(names()))
def test_a_name_consists_of_words_of_the_glossary(name: str) -> None:
    unknown = [word for word in words(name) if word not in KNOWN]
    assert unknown == [], f"{names()[name].relative_to(ROOT)}: {name}: see the docstring of this test"


def test_every_listed_name_exists() -> None:
    everywhere = {
        node.name for path in CODE for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ClassDef)
    }
    assert set(names()) | everywhere >= LISTED


def test_every_plain_word_is_in_use_and_no_term_is_repeated() -> None:
    used = {word for name in names() for word in words(name)}
    assert PLAIN - used == set()
    assert set() == PLAIN & TERMS
    assert sorted(PLAIN) == PLAIN_LIST


def test_no_retired_word_names_anything() -> None:
    """The test also checks functions, parameters and fields, because a reader would have to learn a private word."""
    found = set()
    for path in CODE:
        for node in ast.walk(ast.parse(path.read_text())):
            name = getattr(node, "name", None) or getattr(node, "arg", None) or getattr(node, "id", None)
            for word in words(name) if isinstance(name, str) else ():
                if word in RETIRED:
                    found.add(f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}: {name}")
    assert sorted(found) == []
