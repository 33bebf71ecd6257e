"""The page docs/reference/hpa-and-aws.md follows AWS's documented rule, and its numbers are those of measurements."""

from __future__ import annotations

import json
from fractions import Fraction

import pytest

from hack.bench.hpa import aws, page, product
from hack.bench.hpa.cases import CASES, Case

FIGURES = json.loads(page.FIGURES.read_text())
REAL: dict[str, list[int]] = FIGURES["sizes"]


def variant(size: int, *targets: float, low: int = 1, high: int = 100, **policy: int) -> aws.Variant:
    policies = [aws.Policy(Fraction(str(target)), **policy) for target in targets]  # type: ignore[arg-type]
    return aws.Variant(policies, aws.Bounds(low, high), size)


def minutes(of: aws.Variant, load: float | None, count: int) -> list[int]:
    """The sizes after each of `count` minutes with the same load."""
    return [
        of.add_minute([None if load is None else Fraction(str(load)) / of.size for _ in of.policies])
        for _ in range(count)
    ]


def test_scale_out_after_three_minutes_above_the_target() -> None:
    assert minutes(variant(10, 0.7), 7.5, 4) == [10, 10, 11, 11]


def test_scale_in_after_fifteen_minutes_below_nine_tenths_of_the_target() -> None:
    assert minutes(variant(10, 0.7), 6.3, 30) == [10] * 30
    assert minutes(variant(10, 0.7), 6.2, 16) == [10] * 14 + [9] * 2


def test_no_data_is_no_scaling() -> None:
    of = variant(10, 0.7)
    sizes = minutes(of, 9, 2) + minutes(of, None, 1) + minutes(of, 9, 2)
    assert sizes == [10] * 5  # there are no three minutes in a row with data
    assert minutes(of, 9, 1) == [13]


def test_in_the_cooldown_only_a_larger_scale_out_follows() -> None:
    of = variant(2, 0.5, scale_out_cooldown=10)
    assert minutes(of, 2, 3)[-1] == 4
    assert [of.add_minute([Fraction(3, 4)]) for _ in range(4)] == [4, 4, 6, 6]  # only 6 is larger than 4
    assert variant(2, 0.5).add_minute([Fraction(9)]) == 2  # one minute does not start an alarm


def test_scale_in_only_if_all_policies_that_may_scale_in_recommend_it() -> None:
    of = variant(8, 0.7, 0.5)
    both = [Fraction(1, 10), Fraction(1, 2)]
    assert [of.add_minute(both) for _ in range(20)] == [8] * 20
    careful = aws.Variant(
        [aws.Policy(Fraction(1, 2)), aws.Policy(Fraction(1, 2), disable_scale_in=True)], aws.Bounds(1, 9), 8
    )
    assert [careful.add_minute([Fraction(1, 4), Fraction(1, 2)]) for _ in range(15)][-1] == 4


def test_bounds_apply_at_once() -> None:
    of = variant(3, 0.7)
    of.bounds = aws.Bounds(5, 9)
    assert of.add_minute([None]) == 5


def test_every_series_was_measured() -> None:
    assert {case.key: len(case.steps) for case in CASES} == {key: len(sizes) for key, sizes in REAL.items()}
    assert 20 <= len(CASES) <= 60


def test_the_page_shows_what_was_measured() -> None:
    assert page.PAGE.read_text() == page.render(FIGURES["kubernetes"], REAL), "run: python3 -m hack.bench.hpa.page"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.key)
def test_a_series_has_a_reason_exactly_if_the_sizes_differ(case: Case) -> None:
    by_aws = page.sizes_by_aws(case)
    assert (by_aws != [size * case.per for size in REAL[case.key]]) == bool(case.differs)


@pytest.mark.parametrize("case", [case for case in CASES if not case.tolerance], ids=lambda case: case.key)
def test_the_products_rule_comes_to_the_real_hpas_sizes(case: Case) -> None:
    assert product.sizes(case) in (None, REAL[case.key])
