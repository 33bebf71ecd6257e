"""The table of docs/reference/hpa-and-aws.md: AWS's documented rule, and what was measured stays what is told."""

from __future__ import annotations

import json
from fractions import Fraction

import pytest

from hack.bench.hpa import aws, page, product
from hack.bench.hpa.cases import CASES, Case

FIGURES = json.loads(page.FIGURES.read_text())
REAL: dict[str, list[int]] = FIGURES["sizes"]


def variant(size: int, *targets: float, low: int = 1, high: int = 100, **policy: int) -> aws.Variant:
    return aws.Variant([aws.Policy(Fraction(str(target)), **policy) for target in targets], aws.Bounds(low, high), size)  # type: ignore[arg-type]


def minutes(of: aws.Variant, load: float | None, count: int) -> list[int]:
    """The sizes of `count` minutes under one load."""
    return [
        of.tell([None if load is None else Fraction(str(load)) / of.size for _ in of.policies]) for _ in range(count)
    ]


def test_out_after_three_minutes_above_the_target() -> None:
    assert minutes(variant(10, 0.7), 7.5, 4) == [10, 10, 11, 11]


def test_in_after_fifteen_minutes_below_nine_tenths_of_it() -> None:
    assert minutes(variant(10, 0.7), 6.3, 30) == [10] * 30
    assert minutes(variant(10, 0.7), 6.2, 16) == [10] * 14 + [9] * 2


def test_no_data_is_no_scaling() -> None:
    of = variant(10, 0.7)
    assert minutes(of, 9, 2) + minutes(of, None, 1) + minutes(of, 9, 2) == [10] * 5  # three in a row are missing
    assert minutes(of, 9, 1) == [13]


def test_within_the_cooldown_only_a_larger_increase_follows() -> None:
    of = variant(2, 0.5, scale_out_cooldown=10)
    assert minutes(of, 2, 3)[-1] == 4
    assert [of.tell([Fraction(3, 4)]) for _ in range(4)] == [4, 4, 6, 6]  # larger than 4
    assert variant(2, 0.5).tell([Fraction(9)]) == 2  # one minute is no alarm


def test_in_only_when_all_that_may_agree() -> None:
    of = variant(8, 0.7, 0.5)
    both = [Fraction(1, 10), Fraction(1, 2)]
    assert [of.tell(both) for _ in range(20)] == [8] * 20
    careful = aws.Variant(
        [aws.Policy(Fraction(1, 2)), aws.Policy(Fraction(1, 2), disable_scale_in=True)], aws.Bounds(1, 9), 8
    )
    assert [careful.tell([Fraction(1, 4), Fraction(1, 2)]) for _ in range(15)][-1] == 4


def test_bounds_hold_at_once() -> None:
    of = variant(3, 0.7)
    of.bounds = aws.Bounds(5, 9)
    assert of.tell([None]) == 5


def test_every_series_was_measured() -> None:
    assert {case.key: len(case.steps) for case in CASES} == {key: len(sizes) for key, sizes in REAL.items()}
    assert 20 <= len(CASES) <= 60


def test_the_page_is_what_was_measured() -> None:
    assert page.PAGE.read_text() == page.render(FIGURES["kubernetes"], REAL), "run: python3 -m hack.bench.hpa.page"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.key)
def test_a_difference_has_its_reason_told_and_nothing_else_has(case: Case) -> None:
    theirs = page.sizes_by_aws(case)
    assert (theirs != [size * case.per for size in REAL[case.key]]) == bool(case.differs)


@pytest.mark.parametrize("case", [case for case in CASES if not case.tolerance], ids=lambda case: case.key)
def test_the_products_rule_says_what_the_real_hpa_did(case: Case) -> None:
    assert product.sizes(case) in (None, REAL[case.key])
