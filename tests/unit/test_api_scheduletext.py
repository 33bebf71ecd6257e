"""The API server's patterns for schedules refuse what the controller could not read, and nothing else: only the calendar is the controller's alone."""

from __future__ import annotations

import random
import re
from datetime import datetime
from typing import Final

import pytest

from kindler.api.base import Rule
from kindler.api.scheduletext import MOMENT, SCHEDULE_RULES
from kindler.core.autoscaling.schedule.schedule import ScheduleError, parse

# The shape of every rule but the one about leap years: "unless it is of this form, it must be of that one".
_SHAPE: Final = re.compile(r"(?:!self\.matches\(r'(?P<unless>[^']*)'\) \|\| )?self\.matches\(r'(?P<form>[^']*)'\)")
_SHAPED: Final = tuple((rule, match) for rule in SCHEDULE_RULES if (match := _SHAPE.fullmatch(rule.rule)))
# What takes more than one field to see, in the controller's words.
_CALENDAR: Final = re.compile("no such day comes|skip this time|use a range that rises|day is out of range")


def _refusals(text: str) -> list[Rule]:
    """The rules that refuse a schedule, read as the API server reads them."""
    wrong = []
    for rule, match in _SHAPED:
        if (match["unless"] is None or re.search(match["unless"], text)) and not re.search(match["form"], text):
            wrong.append(rule)
    return wrong


def _trouble(text: str) -> str:
    """What the controller says to a schedule; nothing when it reads it."""
    try:
        parse(text)
    except ScheduleError as wrong:
        return str(wrong)
    return ""


def test_all_rules_but_one_are_read_here() -> None:
    assert len(_SHAPED) == len(SCHEDULE_RULES) - 1


# Of each field what both readers take, and what neither does.
_FIELDS: Final = tuple(
    (good.split(), bad.split())
    for good, bad in (
        ("0 59 05 * 0,30 0-30 0/15 */5 50-10/20 1/60", "60 -1 a 5- /5 0/0 0/61 1,,2 0/ ? L 1.5"),
        ("0 8 23 08 * 8,20 22-2 0/6 */24", "24 8pm 08:00 */25 8-24 ? 8,"),
        (
            "? 1 31 01 * 1,15 1-7 28-2 1/10 L LW L-3 L-30 L-3W 15W 1W l",
            "0 32 L-31 32W W 1W,2W L,1 */32 MON 15w5 ?/2 L/2 1-5W",
        ),
        ("* 1 12 JAN jan Jun-aug 1,7 NOV-FEB */3 12-2", "0 13 JANUARY MON ? */13 L"),
        (
            "? 1 7 MON-FRI FRI-MON sun * MON,WED 2/2 L 6L FRIL FRI#2 2#5 */7",
            "0 8 MONDAY FRI#6 FRI#0 6L,2L L2 MON#1,TUE#1 */8 15W LW 1#",
        ),
        ("* 2027 1970 2199 2027-2030 2030/2 */230 2027,2029", "1969 2200 27 */231 ? 2027- 20270"),
    )
)


def _random_cron(chance: random.Random) -> str:
    fields = [chance.choice(good if chance.random() < 0.9 else bad) for good, bad in _FIELDS]
    if chance.random() < 0.8:
        fields[chance.choice((2, 4))] = "?"
    if chance.random() < 0.2:
        fields.insert(0, chance.choice(("0", "59", "00", "60", "*", "0/5")))
    if chance.random() < 0.1:
        del fields[chance.randrange(len(fields))]
    return f"cron({' '.join(fields)})"


def test_both_readers_of_cron_agree_but_for_the_calendar() -> None:
    chance = random.Random(5)
    texts = {_random_cron(chance) for _ in range(6000)}
    readable = {text for text in texts if not (failure := _trouble(text)) or _CALENDAR.search(failure)}
    assert 0.2 < len(readable) / len(texts) < 0.8, "both sorts must be many"
    assert {text for text in texts if not _refusals(text)} == readable


@pytest.mark.parametrize("place", range(6))
def test_a_wrong_field_is_told_by_the_rule_of_that_field_alone(place: int) -> None:
    names = ("minutes", "hours", "day-of-month", "month", "day-of-week", "year")
    for wrong in (text for text in _FIELDS[place][1] if "?" not in text):
        fields = ["0", "8", "?", "*", "MON", "*"] if place == 4 else ["0", "8", "1", "*", "?", "*"]
        fields[place] = wrong
        said = [rule.message for rule in _refusals(f"cron({' '.join(fields)})")]
        assert len(said) == 1, (wrong, said)
        assert f"a wrong {names[place]} field" in said[0]


_RATES: Final = [
    f"{value} {unit}{s}"
    for value in ("1", "2", "15", "999999")
    for unit in ("minute", "hour", "day")
    for s in ("", "s")
]
_NO_RATES: Final = [
    "0 minutes",
    "-5 minutes",
    "1.5 hours",
    "1000000 days",
    "5 seconds",
    "5 weeks",
    "5",
    "minutes",
    "5minutes",
    "",
    "a few minutes",
]
_DAYS: Final = (
    "2027-01-31 2027-04-30 2027-04-31 2027-02-28 2027-02-30 2027-13-01 2027-00-01 2027-01-00 "
    "1969-12-31 1970-01-02 2199-12-30 2200-01-01 27-01-01 2027-1-1"
)
_TIMES: Final = (
    "T00:00:00 T23:59:59 T24:00:00 T08:60:00 T08:00:60 T08:00 08:00:00 T08:00:00Z T08:00:00+01:00 T08:00:00.5"
)
_OTHERS: Final = [
    *(
        "",
        "at",
        "at()",
        "rate()",
        "cron()",
        "every day",
        "0 8 ? * MON-FRI *",
        "cron 0 8 ? * MON-FRI *",
        "CRON(0 8 ? * MON-FRI *)",
    ),
    *("cron(0 8 ? * MON-FRI *", "at(a)b)", "at(2027-01-31)", "at(2027-01-31 08:00:00)"),
]


@pytest.mark.parametrize(
    "text",
    [
        *(f"rate({rate})" for rate in (*_RATES, *_NO_RATES)),
        *(f"at({day}T08:00:00)" for day in _DAYS.split()),
        *(f"at(2027-01-31{time})" for time in _TIMES.split()),
        *_OTHERS,
    ],
)
def test_both_readers_of_the_other_forms_agree(text: str) -> None:
    assert bool(_refusals(text)) == bool(_trouble(text)), (_refusals(text), _trouble(text))


@pytest.mark.parametrize(
    "text",
    ["1970-01-01T00:00:00Z", "2027-01-31T08:00:00Z", "2027-01-31T08:00:00.123456789Z", "2199-12-31T23:59:59+14:00"],
)
def test_a_moment_that_the_api_server_accepts_is_read(text: str) -> None:
    assert re.search(MOMENT, text)
    assert datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text)).tzinfo is not None
