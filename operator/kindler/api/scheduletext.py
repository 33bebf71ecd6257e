"""CEL rules for points in time and schedules: the API server checks their form and the range of each field.

The controller reports errors that a pattern cannot find: a time in the past, a day that does not exist in any of the
listed months, an unknown time zone. The API server evaluates the patterns with RE2. Tests compare each pattern with the
controller's own parser.
"""

from __future__ import annotations

from typing import Final

from kindler.api.base import Rule

_YEAR: Final = "(?:19[789][0-9]|2[01][0-9][0-9])"
_DATE: Final = (
    f"{_YEAR}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
    "|02-(?:0[1-9]|[12][0-9]))"
)
_TIME: Final = "(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
TIMESTAMP: Final = f"^{_DATE}T{_TIME}(?:[.][0-9]{{1,9}})?(?:Z|[+-](?:0[0-9]|1[0-4]):[0-5][0-9])$"


def _leap_year(start: int) -> str:
    """CEL: true if the four digits from position `start` are a leap year."""
    year = f"int(self.substring({start}, {start + 4}))"
    return f"({year} % 4 == 0 && ({year} % 100 != 0 || {year} % 400 == 0))"


def timestamp_rule(field: str) -> Rule:
    return Rule(
        f"self.matches('{TIMESTAMP}') && (!self.matches('^[0-9]{{4}}-02-29') || {_leap_year(0)})",
        f"{field} is not a moment from 1970 to 2199 with its zone; write it in UTC, as 2027-01-31T08:00:00Z",
    )


_EXAMPLE: Final = "cron(0 8 ? * MON-FRI *) is 08:00 from Monday to Friday"


def _items(value: str, step: str) -> str:
    """Pattern of a comma-separated list of `value`s, ranges and `*`, each with or without a step."""
    item = rf"(?:\*|{value}(?:-{value})?)(?:/(?:{step}))?"
    return f"{item}(?:,{item})*"


_HOUR: Final = "(?:[01]?[0-9]|2[0-3])"
_DAY: Final = "(?:0?[1-9]|[12][0-9]|3[01])"
_MONTH: Final = "(?:0?[1-9]|1[0-2]|JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC)"
_WEEKDAY: Final = "(?:[1-7]|SUN|MON|TUE|WED|THU|FRI|SAT)"
_ALONE_OF_MONTH: Final = rf"\?|L(?:-(?:[12]?[0-9]|30))?W?|{_DAY}W"
_ALONE_OF_WEEK: Final = rf"\?|L|{_WEEKDAY}(?:L|#[1-5])"

# Name, pattern, number of fields after it, allowed values. If a text has seven fields, the first field is a number: the
# seconds.
_FIELDS: Final = (
    (
        "minutes",
        _items("[0-5]?[0-9]", "[1-9]|[1-5][0-9]|60"),
        5,
        "0 to 59 with steps to 60, as 0 or 15,45 or 0-30 or 0/15",
    ),
    ("hours", _items(_HOUR, "[1-9]|1[0-9]|2[0-4]"), 4, "0 to 23 with steps to 24, as 8 or 8,20 or 8-17 or 0/6"),
    (
        "day-of-month",
        f"(?:{_ALONE_OF_MONTH}|{_items(_DAY, _DAY)})",
        3,
        "1 to 31 with steps to 31, or alone ?, L (the last), L-3, LW or 15W (a weekday)",
    ),
    ("month", _items(_MONTH, "[1-9]|1[0-2]"), 2, "1 to 12 or JAN to DEC with steps to 12, as * or 6-8 or JAN,JUL"),
    (
        "day-of-week",
        f"(?:{_ALONE_OF_WEEK}|{_items(_WEEKDAY, '[1-7]')})",
        1,
        "1 (Sunday) to 7 or SUN to SAT, or alone ?, L, 6L (the last Friday) or FRI#2",
    ),
    (
        "year",
        _items(_YEAR, "[1-9][0-9]?|1[0-9][0-9]|2[0-2][0-9]|230"),
        0,
        "1970 to 2199 with steps to 230, as * or 2027-2029",
    ),
)

_CRON: Final = r"^cron\(\S+(?: +\S+){5,6}\)$"


def _field_rule(name: str, pattern: str, after: int, holds: str) -> Rule:
    rest = rf"(?: +\S+){{{after}}}" if after else ""
    return Rule(
        rf"!self.matches(r'{_CRON}') || self.matches(r'(?i)^cron\((?:\S+"
        rf" +){{{5 - after},{6 - after}}}{pattern}{rest}\)$')",
        f"schedule has a wrong {name} field: it holds {holds}; write one of these there, {_EXAMPLE}",
    )


SCHEDULE_RULES: Final = (
    Rule(
        r"self.matches(r'^(?:at|rate|cron)\(\S(?:.*\S)?\)$')",
        "schedule is neither at(…), rate(…) nor cron(…), in small letters, and no blanks before or after what stands"
        " within; write it as at(2027-01-31T08:00:00), rate(5 minutes) or cron(0 8 ? * MON-FRI *)",
    ),
    Rule(
        rf"!self.matches(r'^at\(.*\)$') || self.matches(r'^at\({_DATE}T{_TIME}\)$')",
        "schedule with at holds no moment of 1970 to 2199 as yyyy-mm-ddThh:mm:ss without a zone; write it as"
        " at(2027-01-31T08:00:00), the zone into timezone",
    ),
    Rule(
        rf"!self.matches(r'^at\([0-9]{{4}}-02-29T') || {_leap_year(3)}",
        "schedule with at names the 29th of February of a year that has none; write another day, as"
        " at(2028-02-29T08:00:00)",
    ),
    Rule(
        r"!self.matches(r'^rate\(.*\)$') || self.matches(r'^rate\([0-9]+ +(?:minute|hour|day)s?\)$')",
        "schedule with rate holds no whole number and unit (minutes, hours or days); write it as rate(5 minutes),"
        " rate(1 hour) or rate(7 days)",
    ),
    Rule(
        r"!self.matches(r'^rate\([0-9]+ +(?:minute|hour|day)s?\)$') || self.matches(r'^rate\([1-9][0-9]{0,5} ')",
        "schedule with rate has a value that is not within 1 to 999999; write it as rate(5 minutes), without zeros"
        " before it",
    ),
    Rule(
        r"!self.matches(r'^rate\([1-9][0-9]* +(?:minute|hour|day)s?\)$') || self.matches(r'^rate\((?:1"
        r" +[a-z]+[^s]|(?:[2-9]|[1-9][0-9]+) +[a-z]+s)\)$')",
        "schedule with rate says minute, hour or day with 1, and minutes, hours or days with more; write it as rate(1"
        " minute) or rate(5 minutes)",
    ),
    Rule(
        rf"!self.matches(r'^cron\(.*\)$') || self.matches(r'{_CRON}')",
        "schedule with cron needs six fields: minutes hours day-of-month month day-of-week year (one more before them,"
        f" seconds, is allowed); write them all, {_EXAMPLE}",
    ),
    *(_field_rule(*field) for field in _FIELDS),
    Rule(
        rf"!self.matches(r'{_CRON}') || self.matches(r'^cron\((?:[0-5]?[0-9] +)?(?:\S+ +){{5}}\S+\)$')",
        "schedule with cron has seven fields, and the first of them, seconds, is no number of 0 to 59; leave it out,"
        f" {_EXAMPLE}",
    ),
    Rule(
        rf"!self.matches(r'{_CRON}') || self.matches(r'^cron\((?:\S+ +){{2,3}}(?:\? +\S+ +[^? ]+|[^? ]+ +\S+ +\?)"
        r" +\S+\)$')",
        "schedule with cron needs ? in exactly one of its day fields: the day is given by the other; write cron(0 8 1 *"
        " ? *) for a day of the month, cron(0 8 ? * MON-FRI *) for days of the week, cron(0 8 * * ? *) for every day",
    ),
)
