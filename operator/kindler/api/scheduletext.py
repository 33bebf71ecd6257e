"""What the API server says of moments and schedules: their form, and the range of each field.

What takes more (a moment that has passed, a day that comes in none of the months named, a time zone that nobody knows) is told by the controller.
The patterns are read by RE2 in the API server; each is held to the controller's own reading by the tests.
"""

from __future__ import annotations

from typing import Final

from kindler.api.base import Rule

_YEAR: Final = "(?:19[789][0-9]|2[01][0-9][0-9])"
_DATE: Final = f"{_YEAR}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|[12][0-9]))"
_TIME: Final = "(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
MOMENT: Final = f"^{_DATE}T{_TIME}(?:[.][0-9]{{1,9}})?(?:Z|[+-](?:0[0-9]|1[0-4]):[0-5][0-9])$"


def _leap_year(start: int) -> str:
    """Whether the four digits from `start` are a year with a 29th of February."""
    year = f"int(self.substring({start}, {start + 4}))"
    return f"({year} % 4 == 0 && ({year} % 100 != 0 || {year} % 400 == 0))"


def moment_rule(field: str) -> Rule:
    return Rule(
        f"self.matches('{MOMENT}') && (!self.matches('^[0-9]{{4}}-02-29') || {_leap_year(0)})",
        f"{field} is not a moment from 1970 to 2199 with its zone; write it in UTC, as 2027-01-31T08:00:00Z",
    )


_STEP: Final = "(?:/[1-9][0-9]*)?"
_EXAMPLE: Final = "cron(0 8 ? * MON-FRI *) is 08:00 from Monday to Friday"


def _items(value: str, more: str = "") -> str:
    """A comma-separated list of `value`s, ranges, `*` and steps; `more`: further alternatives for an item."""
    item = rf"(?:\*{_STEP}|{value}(?:-{value})?{_STEP}{more})"
    return f"{item}(?:,{item})*"


_SIXTY: Final = "[0-5]?[0-9]"
_HOUR: Final = "(?:[01]?[0-9]|2[0-3])"
_DAY: Final = "(?:0?[1-9]|[12][0-9]|3[01])"
_MONTH: Final = "(?:0?[1-9]|1[0-2]|JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC)"
_WEEKDAY: Final = "(?:[1-7]|SUN|MON|TUE|WED|THU|FRI|SAT)"

_DAYS_OF_MONTH: Final = rf"(?:\?|{_items(_DAY, f'|{_DAY}W|L|LW|L-{_DAY}')})"
_DAYS_OF_WEEK: Final = rf"(?:\?|{_items(_WEEKDAY, f'|L|{_WEEKDAY}L|{_WEEKDAY}#[1-5]')})"

# Name, pattern, how many fields come after it, what it may hold. The first of seven, the seconds, is optional.
_FIELDS: Final = (
    ("minutes", _items(_SIXTY), 5, "0 to 59, as 0 or 15,45 or 0-30 or 0/15"),
    ("hours", _items(_HOUR), 4, "0 to 23, as 8 or 8,20 or 8-17 or 0/6"),
    ("day-of-month", _DAYS_OF_MONTH, 3, "1 to 31, L (the last), 15W (the weekday nearest to the 15th) or ?"),
    ("month", _items(_MONTH), 2, "1 to 12 or JAN to DEC, as * or 6-8 or JAN,JUL"),
    ("day-of-week", _DAYS_OF_WEEK, 1, "1 (Sunday) to 7 or SUN to SAT, as MON-FRI or 6L (the last Friday) or 2#1 (the first Monday), or ?"),
    ("year", _items(_YEAR), 0, "1970 to 2199, as * or 2027-2029"),
)

_CRON: Final = r"^cron\(\S+(?: +\S+){5,6}\)$"


def _field_rule(name: str, pattern: str, after: int, holds: str) -> Rule:
    rest = rf"(?: +\S+){{{after}}}" if after else ""
    return Rule(
        rf"!self.matches(r'{_CRON}') || self.matches(r'^(?i)cron\((?:\S+ +){{{5 - after},{6 - after}}}{pattern}{rest}\)$')",
        f"schedule has a {name} field out of range: it holds {holds}; write one of these there, {_EXAMPLE}",
    )


SCHEDULE_RULES: Final = (
    Rule(
        r"self.matches(r'^(?:at|rate|cron)\(\S(?:.*\S)?\)$')",
        "schedule is neither at(…), rate(…) nor cron(…), in small letters, and no blanks before or after what stands within; "
        "write it as at(2027-01-31T08:00:00), rate(5 minutes) or cron(0 8 ? * MON-FRI *)",
    ),
    Rule(
        rf"!self.matches(r'^at\(.*\)$') || self.matches(r'^at\({_DATE}T{_TIME}\)$')",
        "schedule with at holds no moment from 1970 to 2199 as yyyy-mm-ddThh:mm:ss without a zone; write it as at(2027-01-31T08:00:00), and put the zone into timezone",
    ),
    Rule(
        rf"!self.matches(r'^at\([0-9]{{4}}-02-29T') || {_leap_year(3)}",
        "schedule with at names the 29th of February of a year that has none; write another day, as at(2028-02-29T08:00:00)",
    ),
    Rule(
        r"!self.matches(r'^rate\(.*\)$') || self.matches(r'^rate\([0-9]+ +(?:minute|hour|day)s?\)$')",
        "schedule with rate holds no whole number and unit (minutes, hours or days); write it as rate(5 minutes), rate(1 hour) or rate(7 days)",
    ),
    Rule(
        r"!self.matches(r'^rate\([0-9]+ +(?:minute|hour|day)s?\)$') || self.matches(r'^rate\([1-9][0-9]{0,5} ')",
        "schedule with rate has a value that is not within 1 to 999999; write it as rate(5 minutes), without zeros before it",
    ),
    Rule(
        r"!self.matches(r'^rate\([1-9][0-9]* +(?:minute|hour|day)s?\)$') || self.matches(r'^rate\((?:1 +[a-z]+[^s]|(?:[2-9]|[1-9][0-9]+) +[a-z]+s)\)$')",
        "schedule with rate says minute, hour or day with 1, and minutes, hours or days with more; write it as rate(1 minute) or rate(5 minutes)",
    ),
    Rule(
        rf"!self.matches(r'^cron\(.*\)$') || self.matches(r'{_CRON}')",
        "schedule with cron needs six fields: minutes hours day-of-month month day-of-week year (one more before them, seconds, is allowed); "
        f"write them all, {_EXAMPLE}",
    ),
    *(_field_rule(*field) for field in _FIELDS),
    Rule(
        rf"!self.matches(r'{_CRON}') || self.matches(r'^cron\((?:\S+ +){{2,3}}(?:\? +\S+ +[^? ]+|[^? ]+ +\S+ +\?) +\S+\)$')",
        "schedule with cron needs ? in exactly one of its day fields: the day is given by the other; "
        "write cron(0 8 1 * ? *) for a day of the month, cron(0 8 ? * MON-FRI *) for days of the week, cron(0 8 * * ? *) for every day",
    ),
)
