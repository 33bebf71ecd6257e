"""The table of objects, without a cluster.

The committed pages match the table, and Kindler's parser accepts the same objects as the API server.
"""

from __future__ import annotations

import re

import pytest
from pydantic import ValidationError

from hack.generate import ROOT
from kindler.api.ignored import SPECS, ignored_fields
from tests.e2e.objects.case import ACCEPTED, REFUSED, WARNED, Case
from tests.e2e.objects.table import CASES, PAGES


def _rows(path: str) -> dict[str, str]:
    lines = (ROOT / path).read_text(encoding="utf-8").splitlines()
    return {line.split(" | ")[0].removeprefix("| "): line for line in lines if line.startswith("| ")}


ROWS = {name: line for path in PAGES for name, line in _rows(path).items()}
VALID = [case for case in CASES if case.verdict != REFUSED and case.change is None]
# Kindler's parser converts the values of these cases to the intended type. Only the API server rejects them.
_LENIENT = {"config-memory-text", "config-max-text", "model-port-text", "config-weight-text", "scaling-start-epoch"}
_LENIENT |= {f"scaling-{what}-text" for what in ("minimum", "maximum", "sets-minimum", "sets-maximum", "target-value")}
_LENIENT |= {
    f"scaling-{flag}-{how}"
    for flag in ("suspended-in", "suspended-out", "suspended-schedules", "scale-in-off")
    for how in ("text", "number")
}
# Kindler's parser and the API server both reject a wrong type, a value out of bounds, a value that is not in an enum,
# and a missing field. Only the API server evaluates CEL rules.
_BOTH = re.compile(r"Required value(?!:)|Too (?:long|many)|Unsupported value|in body (?:should|must)")


def _ids(cases: list[Case]) -> list[str]:
    return [case.name for case in cases]


def test_there_are_many_objects_with_unique_names() -> None:
    assert len(CASES) >= 500
    assert len([case for case in CASES if case.name.startswith("scaling-") and case.verdict == REFUSED]) >= 200
    assert len({case.name for case in CASES}) == len(CASES)
    assert {case.verdict for case in CASES} == {ACCEPTED, WARNED, REFUSED}


def test_every_rejection_and_warning_has_an_expected_message() -> None:
    assert [case.name for case in CASES if case.verdict != ACCEPTED and not case.words] == []


@pytest.mark.parametrize("path", PAGES)
def test_a_committed_page_has_exactly_its_objects(path: str) -> None:
    assert set(_rows(path)) - {"object", "---"} == {case.name for case in PAGES[path]}, (
        "run `python -m tests.e2e.objects --write` against a cluster"
    )


@pytest.mark.parametrize("case", CASES, ids=_ids(list(CASES)))
def test_the_committed_page_has_the_verdict_and_the_message(case: Case) -> None:
    row = ROWS[case.name]
    assert f" | {case.verdict} | " in row
    assert [word for word in case.words if word not in row and not row.endswith("… |")] == []


@pytest.mark.parametrize("case", VALID, ids=_ids(VALID))
def test_every_object_that_the_api_server_accepts_can_be_parsed(case: Case) -> None:
    assert case.spec is not None
    SPECS[case.kind].parse(case.spec)


@pytest.mark.parametrize(
    "case", [c for c in VALID if c.verdict == WARNED], ids=_ids([c for c in VALID if c.verdict == WARNED])
)
def test_every_field_with_a_warning_is_in_ignored_fields(case: Case) -> None:
    assert case.spec is not None
    listed = {re.sub(r"\[\d+\]", "[]", f.field) for f in ignored_fields(case.kind, case.spec, {})}
    warned = set(re.findall(r"(spec\S*) has no effect", ROWS[case.name]))
    assert warned, case.name
    assert warned <= listed


def _rejected_on_both_sides() -> list[Case]:
    rejected = [c for c in CASES if c.verdict == REFUSED and c.change is None and c.spec is not None]
    return [c for c in rejected if _BOTH.search(ROWS[c.name]) and c.name not in _LENIENT]


@pytest.mark.parametrize("case", _rejected_on_both_sides(), ids=_ids(_rejected_on_both_sides()))
def test_types_and_bounds_are_the_same_on_both_sides(case: Case) -> None:
    with pytest.raises(ValidationError) as error:
        SPECS[case.kind].parse(case.spec or {})
    fields = {str(detail["loc"][-1]) for detail in error.value.errors()}
    assert any(field in ROWS[case.name] for field in fields), fields
