"""The API server's patterns reject exactly those schedules that the controller's parser rejects.

Only the controller checks the calendar. It rejects days that do not exist.
"""

from __future__ import annotations

import random
import re
from datetime import datetime
from typing import Final

import pytest

from kindler.api.base import Rule
from kindler.api.scheduletext import SCHEDULE_RULES, TIMESTAMP
from kindler.core.autoscaling.schedule.schedule import ScheduleError, parse

# The form of every rule except the one for leap years: a text must match a pattern, unless it matches another pattern.
_SHAPE: Final = re.compile(r"(?:!self\.matches\(r'(?P<unless>[^']*)'\) \|\| )?self\.matches\(r'(?P<form>[^']*)'\)")
_SHAPED: Final = tuple((rule, match) for rule in SCHEDULE_RULES if (match := _SHAPE.fullmatch(rule.rule)))
# The controller's messages about errors that it can detect only from more than one field.
_CALENDAR: Final = re.compile("no such day comes|skip this time|use a range that rises|day is out of range")


def _rejecting_rules(text: str) -> list[Rule]:
    """The rules that reject a schedule, evaluated like in the API server."""
    invalid = []
    for rule, match in _SHAPED:
        if (match["unless"] is None or re.search(match["unless"], text)) and not re.search(match["form"], text):
            invalid.append(rule)
    return invalid


def _parse_error(text: str) -> str:
    """The controller's error message for a schedule. Empty if the controller can parse the schedule."""
    try:
        parse(text)
    except ScheduleError as invalid:
        return str(invalid)
    return ""


def test_all_rules_except_one_are_evaluated_here() -> None:
    assert len(_SHAPED) == len(SCHEDULE_RULES) - 1


# For each field: values that both parsers accept, and values that both reject.
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


def _random_cron(rng: random.Random) -> str:
    fields = [rng.choice(good if rng.random() < 0.9 else bad) for good, bad in _FIELDS]
    if rng.random() < 0.8:
        fields[rng.choice((2, 4))] = "?"
    if rng.random() < 0.2:
        fields.insert(0, rng.choice(("0", "59", "00", "60", "*", "0/5")))
    if rng.random() < 0.1:
        del fields[rng.randrange(len(fields))]
    return f"cron({' '.join(fields)})"


def test_both_parsers_of_cron_agree_except_about_the_calendar() -> None:
    rng = random.Random(5)
    texts = {_random_cron(rng) for _ in range(6000)}
    readable = {text for text in texts if not (failure := _parse_error(text)) or _CALENDAR.search(failure)}
    assert 0.2 < len(readable) / len(texts) < 0.8, "there must be many valid and many invalid schedules"
    assert {text for text in texts if not _rejecting_rules(text)} == readable


@pytest.mark.parametrize("position", range(6))
def test_only_the_rule_of_a_field_rejects_its_invalid_value(position: int) -> None:
    names = ("minutes", "hours", "day-of-month", "month", "day-of-week", "year")
    for invalid in (text for text in _FIELDS[position][1] if "?" not in text):
        fields = ["0", "8", "?", "*", "MON", "*"] if position == 4 else ["0", "8", "1", "*", "?", "*"]
        fields[position] = invalid
        messages = [rule.message for rule in _rejecting_rules(f"cron({' '.join(fields)})")]
        assert len(messages) == 1, (invalid, messages)
        assert f"a wrong {names[position]} field" in messages[0]


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
def test_both_parsers_of_the_other_forms_agree(text: str) -> None:
    assert bool(_rejecting_rules(text)) == bool(_parse_error(text)), (_rejecting_rules(text), _parse_error(text))


@pytest.mark.parametrize(
    "text",
    ["1970-01-01T00:00:00Z", "2027-01-31T08:00:00Z", "2027-01-31T08:00:00.123456789Z", "2199-12-31T23:59:59+14:00"],
)
def test_a_point_in_time_that_the_api_server_accepts_can_be_parsed(text: str) -> None:
    assert re.search(TIMESTAMP, text)
    assert datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text)).tzinfo is not None
