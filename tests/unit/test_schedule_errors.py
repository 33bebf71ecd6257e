"""Errors in the text of a schedule: a table of the messages, each with a valid example."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kindler.core.autoscaling.schedule.schedule import ScheduleError, parse
from tests.unit.schedules import rows

# schedule | zone | what its error says after "SCHEDULE: "
ERRORS = """
# none of the three
every day at 8 | UTC | is none of at(…), rate(…) and cron(…): use one of them, as cron(0 8 * * ? *)
0 8 * * ? * | UTC | is none of at(…), rate(…) and cron(…): use one of them, as cron(0 8 * * ? *)
cron 0 8 * * ? * | UTC | is none of at(…), rate(…) and cron(…): use one of them, as cron(0 8 * * ? *)
CRON(0 8 * * ? *) | UTC | is none of at(…), rate(…) and cron(…): use one of them, as cron(0 8 * * ? *)
cron(0 8 * * ? *) at(2027-01-31T08:00:00) | UTC | \
    day-of-month (field 4) is *: write ? here or in day-of-week, and a day in the other, as cron(0 8 * * ? *)
cron(0 8 * * ? * | UTC | is none of at(…), rate(…) and cron(…): use one of them, as cron(0 8 * * ? *)
 | UTC | is none of at(…), rate(…) and cron(…): use one of them, as cron(0 8 * * ? *)
# number of fields
cron() | UTC | has 0 fields: use six, minutes hours day-of-month month day-of-week year, as cron(0 8 * * ? *)
cron(0 8 * * *) | UTC | has 5 fields: use six, minutes hours day-of-month month day-of-week year, as cron(0 8 * * ? *)
cron(0 0 8 * * ? * *) | UTC | \
    has 8 fields: use six, minutes hours day-of-month month day-of-week year, as cron(0 8 * * ? *)
# ranges of values
cron(60 8 * * ? *) | UTC | minutes (field 1) is 60: use 0 to 59, as cron(0 8 * * ? *)
cron(-1 8 * * ? *) | UTC | minutes (field 1) is -1: use 0 to 59, as cron(0 8 * * ? *)
cron(0 24 * * ? *) | UTC | hours (field 2) is 24: use 0 to 23, as cron(0 8 * * ? *)
cron(0 25 * * ? *) | UTC | hours (field 2) is 25: use 0 to 23, as cron(0 8 * * ? *)
cron(0 8,25 * * ? *) | UTC | hours (field 2) has 25: use 0 to 23, as cron(0 8 * * ? *)
cron(0 8-25 * * ? *) | UTC | hours (field 2) has 25: use 0 to 23, as cron(0 8 * * ? *)
cron(0 8 0 * ? *) | UTC | day-of-month (field 3) is 0: use 1 to 31, or alone ?, L, L-3, LW or 15W, as cron(0 8 1 * ? *)
cron(0 8 32 * ? *) | UTC | \
    day-of-month (field 3) is 32: use 1 to 31, or alone ?, L, L-3, LW or 15W, as cron(0 8 1 * ? *)
cron(0 8 1 0 ? *) | UTC | month (field 4) is 0: use 1 to 12 or JAN to DEC, as cron(0 8 1 * ? *)
cron(0 8 1 13 ? *) | UTC | month (field 4) is 13: use 1 to 12 or JAN to DEC, as cron(0 8 1 * ? *)
cron(0 8 1 JANUARY ? *) | UTC | month (field 4) is JANUARY: use 1 to 12 or JAN to DEC, as cron(0 8 1 * ? *)
cron(0 8 ? * 0 *) | UTC | \
    day-of-week (field 5) is 0: use 1 to 7 or SUN to SAT, or alone ?, L, 6L or FRI#2, as cron(0 8 ? * MON-FRI *)
cron(0 8 ? * 8 *) | UTC | \
    day-of-week (field 5) is 8: use 1 to 7 or SUN to SAT, or alone ?, L, 6L or FRI#2, as cron(0 8 ? * MON-FRI *)
cron(0 8 ? * MONDAY *) | UTC | \
    day-of-week (field 5) is MONDAY: use 1 to 7 or SUN to SAT, or alone ?, L, 6L or FRI#2, as cron(0 8 ? * MON-FRI *)
cron(0 8 ? * MON-FRY *) | UTC | \
    day-of-week (field 5) has FRY: use 1 to 7 or SUN to SAT, or alone ?, L, 6L or FRI#2, as cron(0 8 ? * MON-FRI *)
cron(0 8 * * ? 1969) | UTC | year (field 6) is 1969: use 1970 to 2199, as cron(0 8 * * ? *)
cron(0 8 * * ? 2200) | UTC | year (field 6) is 2200: use 1970 to 2199, as cron(0 8 * * ? *)
cron(0 8 * * ? 27) | UTC | year (field 6) is 27: use 1970 to 2199, as cron(0 8 * * ? *)
cron(60 0 8 * * ? *) | UTC | seconds (field 1) is 60: use 0 to 59, as cron(0 0 8 * * ? *)
cron(0 0 24 * * ? *) | UTC | hours (field 3) is 24: use 0 to 23, as cron(0 0 8 * * ? *)
cron(0 0 8 32 * ? *) | UTC | \
    day-of-month (field 4) is 32: use 1 to 31, or alone ?, L, L-3, LW or 15W, as cron(0 0 8 1 * ? *)
# invalid values
cron(x 8 * * ? *) | UTC | minutes (field 1) is x: use 0 to 59, as cron(0 8 * * ? *)
cron(0 8h * * ? *) | UTC | hours (field 2) is 8h: use 0 to 23, as cron(0 8 * * ? *)
cron(0 8:30 * * ? *) | UTC | hours (field 2) is 8:30: use 0 to 23, as cron(0 8 * * ? *)
cron(0 8, * * ? *) | UTC | hours (field 2) has an empty item: use 0 to 23, as cron(0 8 * * ? *)
cron(0 8 1,,15 * ? *) | UTC | \
    day-of-month (field 3) has an empty item: use 1 to 31, or alone ?, L, L-3, LW or 15W, as cron(0 8 1 * ? *)
cron(,0 8 * * ? *) | UTC | minutes (field 1) has an empty item: use 0 to 59, as cron(0 8 * * ? *)
cron(0 8- * * ? *) | UTC | hours (field 2) is 8-: use 0 to 23, as cron(0 8 * * ? *)
cron(0 8--9 * * ? *) | UTC | hours (field 2) is 8--9: use 0 to 23, as cron(0 8 * * ? *)
cron(0 ٨ * * ? *) | UTC | hours (field 2) is ٨: use 0 to 23, as cron(0 8 * * ? *)
cron(0.5 8 * * ? *) | UTC | minutes (field 1) is 0.5: use 0 to 59, as cron(0 8 * * ? *)
cron(0 ? * * ? *) | UTC | hours (field 2) is ?: use 0 to 23, as cron(0 8 * * ? *)
cron(0 8 * ? ? *) | UTC | month (field 4) is ?: use 1 to 12 or JAN to DEC, as cron(0 8 * * ? *)
cron(0 8 * * ? ?) | UTC | year (field 6) is ?: use 1970 to 2199, as cron(0 8 * * ? *)
cron(0 L * * ? *) | UTC | hours (field 2) is L: use 0 to 23, as cron(0 8 * * ? *)
cron(0 8 ? L MON *) | UTC | month (field 4) is L: use 1 to 12 or JAN to DEC, as cron(0 8 ? * MON *)
cron(0 8 ? * 15W *) | UTC | \
    day-of-week (field 5) is 15W: use 1 to 7 or SUN to SAT, or alone ?, L, 6L or FRI#2, as cron(0 8 ? * MON-FRI *)
cron(0 8 MON * ? *) | UTC | \
    day-of-month (field 3) is MON: use 1 to 31, or alone ?, L, L-3, LW or 15W, as cron(0 8 1 * ? *)
cron(0 8 ? MON * *) | UTC | month (field 4) is MON: use 1 to 12 or JAN to DEC, as cron(0 8 ? * * *)
# steps
cron(0/0 * * * ? *) | UTC | minutes (field 1) is 0/0: use a step of 1 to 60, as cron(0 * * * ? *)
cron(0/61 * * * ? *) | UTC | minutes (field 1) is 0/61: use a step of 1 to 60, as cron(0 * * * ? *)
cron(0/90 * * * ? *) | UTC | minutes (field 1) is 0/90: use a step of 1 to 60, as cron(0 * * * ? *)
cron(0 */25 * * ? *) | UTC | hours (field 2) is */25: use a step of 1 to 24, as cron(0 8 * * ? *)
cron(0/ * * * ? *) | UTC | minutes (field 1) is 0/: use 0 to 59, as cron(0 * * * ? *)
cron(/15 * * * ? *) | UTC | minutes (field 1) is /15: use 0 to 59, as cron(0 * * * ? *)
cron(0/15/5 * * * ? *) | UTC | minutes (field 1) is 0/15/5: use 0 to 59, as cron(0 * * * ? *)
cron(0/x * * * ? *) | UTC | minutes (field 1) is 0/x: use 0 to 59, as cron(0 * * * ? *)
cron(* * * * * ? *) | UTC | \
    seconds (field 1) is *: use one number, for no schedule is finer than a minute, as cron(0 * * * * ? *)
cron(0/30 * * * * ? *) | UTC | \
    seconds (field 1) is 0/30: use one number, for no schedule is finer than a minute, as cron(0 * * * * ? *)
# years do not wrap
cron(0 8 * * ? 2029-2027) | UTC | year (field 6) is 2029-2027: use a range that rises, as cron(0 8 * * ? 2027-2029)
# the two day fields
cron(0 8 * * * *) | UTC | \
    day-of-month (field 3) is *: write ? here or in day-of-week, and a day in the other, as cron(0 8 * * ? *)
cron(0 16 * * MON-FRI *) | UTC | \
    day-of-month (field 3) is *: write ? here or in day-of-week, and a day in the other, as cron(0 16 ? * MON-FRI *)
cron(0 8 1 * MON *) | UTC | \
    day-of-month (field 3) is 1: write ? here or in day-of-week, and a day in the other, as cron(0 8 ? * MON *)
cron(0 8 15 * * *) | UTC | \
    day-of-month (field 3) is 15: write ? here or in day-of-week, and a day in the other, as cron(0 8 * * ? *)
cron(0 8 ? * ? *) | UTC | \
    day-of-month (field 3) is ?: write ? here or in day-of-week, and a day in the other, as cron(0 8 * * ? *)
# L, W and # alone
cron(0 8 1,L * ? *) | UTC | \
    day-of-month (field 3) has L: use 1 to 31, or alone ?, L, L-3, LW or 15W, as cron(0 8 1 * ? *)
cron(0 8 L,15 * ? *) | UTC | \
    day-of-month (field 3) has L: use 1 to 31, or alone ?, L, L-3, LW or 15W, as cron(0 8 1 * ? *)
cron(0 8 15W,20 * ? *) | UTC | \
    day-of-month (field 3) has 15W: use 1 to 31, or alone ?, L, L-3, LW or 15W, as cron(0 8 1 * ? *)
cron(0 8 10-15W * ? *) | UTC | \
    day-of-month (field 3) has 15W: use 1 to 31, or alone ?, L, L-3, LW or 15W, as cron(0 8 1 * ? *)
cron(0 8 0W * ? *) | UTC | day-of-month (field 3) is 0W: use 1W to 31W, as cron(0 8 15W * ? *)
cron(0 8 32W * ? *) | UTC | day-of-month (field 3) is 32W: use 1W to 31W, as cron(0 8 15W * ? *)
cron(0 8 W * ? *) | UTC | day-of-month (field 3) is W: use 1 to 31, or alone ?, L, L-3, LW or 15W, as cron(0 8 1 * ? *)
cron(0 8 L-31 * ? *) | UTC | day-of-month (field 3) is L-31: use L-1 to L-30, as cron(0 8 L-3 * ? *)
cron(0 8 L-3/2 * ? *) | UTC | \
    day-of-month (field 3) has L: use 1 to 31, or alone ?, L, L-3, LW or 15W, as cron(0 8 1 * ? *)
cron(0 8 ? * 3#1,6#3 *) | UTC | \
    day-of-week (field 5) has 3#1: use 1 to 7 or SUN to SAT, or alone ?, L, 6L or FRI#2, as cron(0 8 ? * MON-FRI *)
cron(0 8 ? * FRI#0 *) | UTC | day-of-week (field 5) is FRI#0: use #1 to #5, as cron(0 8 ? * FRI#2 *)
cron(0 8 ? * FRI#6 *) | UTC | day-of-week (field 5) is FRI#6: use #1 to #5, as cron(0 8 ? * FRI#2 *)
cron(0 8 ? * 8#1 *) | UTC | \
    day-of-week (field 5) has 8: use 1 to 7 or SUN to SAT, or alone ?, L, 6L or FRI#2, as cron(0 8 ? * MON-FRI *)
cron(0 8 ? * #1 *) | UTC | \
    day-of-week (field 5) is #1: use 1 to 7 or SUN to SAT, or alone ?, L, 6L or FRI#2, as cron(0 8 ? * MON-FRI *)
cron(0 8 ? * 6L,2 *) | UTC | \
    day-of-week (field 5) has 6L: use 1 to 7 or SUN to SAT, or alone ?, L, 6L or FRI#2, as cron(0 8 ? * MON-FRI *)
cron(0 8 ? * 9L *) | UTC | \
    day-of-week (field 5) has 9: use 1 to 7 or SUN to SAT, or alone ?, L, 6L or FRI#2, as cron(0 8 ? * MON-FRI *)
# days that never come
cron(0 8 31 2 ? *) | UTC | \
    day-of-month (field 3) is 31: no such day comes in these months and years, use a day that does, as cron(0 8 L 2 ? *)
cron(0 8 30,31 FEB ? *) | UTC | \
    day-of-month (field 3) is 30,31: no such day comes in these months and years, \
use a day that does, as cron(0 8 L FEB ? *)
cron(0 8 31 4,6,9,11 ? *) | UTC | \
    day-of-month (field 3) is 31: no such day comes in these months and years, \
use a day that does, as cron(0 8 L 4,6,9,11 ? *)
cron(0 8 29 2 ? 2027) | UTC | \
    day-of-month (field 3) is 29: no such day comes in these months and years, \
use a day that does, as cron(0 8 L 2 ? 2027)
cron(0 8 29 2 ? 2100) | UTC | \
    day-of-month (field 3) is 29: no such day comes in these months and years, \
use a day that does, as cron(0 8 L 2 ? 2100)
cron(0 8 ? 2 FRI#5 2027) | UTC | \
    day-of-week (field 5) is FRI#5: no such day comes in these months and years, \
use a day that does, as cron(0 8 ? 2 6L 2027)
cron(0 8 L-30 2 ? *) | UTC | \
    day-of-month (field 3) is L-30: no such day comes in these months and years, \
use a day that does, as cron(0 8 L 2 ? *)
cron(0 8 31W 2 ? *) | UTC | \
    day-of-month (field 3) is 31W: no such day comes in these months and years, \
use a day that does, as cron(0 8 L 2 ? *)
cron(30 2 30 3 ? 2025) | Europe/Berlin | \
    the clocks of Europe/Berlin skip this time: use another hour, as cron(0 8 * * ? *)
# several errors: the first is reported, with a valid example
cron(60 25 * * ? *) | UTC | minutes (field 1) is 60: use 0 to 59, as cron(0 8 * * ? *)
cron(0 25 * * * *) | UTC | hours (field 2) is 25: use 0 to 23, as cron(0 8 * * ? *)
# at
at() | UTC | nothing is no date and time: use yyyy-mm-ddThh:mm:ss without a zone, as at(2027-01-31T08:00:00)
at(2027-01-31) | UTC | \
    2027-01-31 is no date and time: use yyyy-mm-ddThh:mm:ss without a zone, as at(2027-01-31T08:00:00)
at(2027-01-31T08:00) | UTC | \
    2027-01-31T08:00 is no date and time: use yyyy-mm-ddThh:mm:ss without a zone, as at(2027-01-31T08:00:00)
at(2027-01-31T08:00:00Z) | UTC | \
    2027-01-31T08:00:00Z is no date and time: use yyyy-mm-ddThh:mm:ss without a zone, as at(2027-01-31T08:00:00)
at(2027-01-31T08:00:00+01:00) | UTC | \
    2027-01-31T08:00:00+01:00 is no date and time: use yyyy-mm-ddThh:mm:ss without a zone, as at(2027-01-31T08:00:00)
at(2027-01-31 08:00:00) | UTC | \
    2027-01-31 08:00:00 is no date and time: use yyyy-mm-ddThh:mm:ss without a zone, as at(2027-01-31T08:00:00)
at(31.01.2027 08:00) | UTC | \
    31.01.2027 08:00 is no date and time: use yyyy-mm-ddThh:mm:ss without a zone, as at(2027-01-31T08:00:00)
at(2027-02-29T08:00:00) | UTC | day is out of range for month: use a day and time that exist, as at(2027-01-31T08:00:00)
at(2027-04-31T08:00:00) | UTC | day is out of range for month: use a day and time that exist, as at(2027-01-31T08:00:00)
at(2027-13-01T08:00:00) | UTC | month must be in 1..12: use a day and time that exist, as at(2027-01-31T08:00:00)
at(2027-01-31T24:00:00) | UTC | hour must be in 0..23: use a day and time that exist, as at(2027-01-31T08:00:00)
at(2027-01-31T08:60:00) | UTC | minute must be in 0..59: use a day and time that exist, as at(2027-01-31T08:00:00)
at(2027-01-31T08:00:60) | UTC | second must be in 0..59: use a day and time that exist, as at(2027-01-31T08:00:00)
at(1969-12-31T23:59:59) | UTC | the year is 1969: use 1970 to 2199, as at(2027-01-31T08:00:00)
at(2200-01-01T00:00:00) | UTC | the year is 2200: use 1970 to 2199, as at(2027-01-31T08:00:00)
at(2025-03-30T02:30:00) | Europe/Berlin | \
    the clocks of Europe/Berlin skip this time: use one that they show, as at(2025-03-30T03:30:00)
at(2025-03-09T02:00:00) | America/New_York | \
    the clocks of America/New_York skip this time: use one that they show, as at(2025-03-09T03:00:00)
at(2011-12-30T12:00:00) | Pacific/Apia | \
    the clocks of Pacific/Apia skip this time: use one that they show, as at(2011-12-31T12:00:00)
# rate
rate() | UTC | is no value and unit: use a whole number and minutes, hours or days, as rate(5 minutes)
rate(5) | UTC | is no value and unit: use a whole number and minutes, hours or days, as rate(5 minutes)
rate(minutes) | UTC | is no value and unit: use a whole number and minutes, hours or days, as rate(5 minutes)
rate(five minutes) | UTC | is no value and unit: use a whole number and minutes, hours or days, as rate(5 minutes)
rate(5minutes) | UTC | is no value and unit: use a whole number and minutes, hours or days, as rate(5 minutes)
rate(1.5 hours) | UTC | is no value and unit: use a whole number and minutes, hours or days, as rate(5 minutes)
rate(-5 minutes) | UTC | is no value and unit: use a whole number and minutes, hours or days, as rate(5 minutes)
rate(0 minutes) | UTC | the value is 0: use 1 to 999999, as rate(5 minutes)
rate(1000000 days) | UTC | the value is 1000000: use 1 to 999999, as rate(5 days)
rate(30 seconds) | UTC | is no value and unit: use a whole number and minutes, hours or days, as rate(5 minutes)
rate(2 weeks) | UTC | is no value and unit: use a whole number and minutes, hours or days, as rate(5 minutes)
rate(5 Minutes) | UTC | is no value and unit: use a whole number and minutes, hours or days, as rate(5 minutes)
rate(5 minute) | UTC | the unit of 5 is minutes: write it so, as rate(5 minutes)
rate(1 hours) | UTC | the unit of 1 is hour: write it so, as rate(1 hour)
# zones
cron(0 8 * * ? *) | Europe/Berln | \
    timezone 'Europe/Berln' is not in the IANA time zone database: use a name of it, as Europe/Berlin
cron(0 8 * * ? *) | europe/berlin | \
    timezone 'europe/berlin' is not in the IANA time zone database: use a name of it, as Europe/Berlin
cron(0 8 * * ? *) | Berlin | timezone 'Berlin' is not in the IANA time zone database: use a name of it, as Europe/Berlin
cron(0 8 * * ? *) | CEST | timezone 'CEST' is not in the IANA time zone database: use a name of it, as EST
cron(0 8 * * ? *) | +01:00 | timezone '+01:00' is not in the IANA time zone database: use a name of it, as Europe/Berlin
cron(0 8 * * ? *) |  | timezone '' is not in the IANA time zone database: use a name of it, as Europe/Berlin
cron(0 8 * * ? *) | ../../etc/passwd | \
    timezone '../../etc/passwd' is not in the IANA time zone database: use a name of it, as Europe/Berlin
cron(0 8 * * ? *) | localtime | \
    timezone 'localtime' is not in the IANA time zone database: use a name of it, as Europe/Berlin
rate(5 minutes) | America/NewYork | \
    timezone 'America/NewYork' is not in the IANA time zone database: use a name of it, as America/New_York
at(2027-01-31T08:00:00) | US/Eastren | \
    timezone 'US/Eastren' is not in the IANA time zone database: use a name of it, as US/Eastern
"""


@pytest.mark.parametrize(("text", "zone", "error"), rows(ERRORS))
def test_the_error_of_each_text(text: str, zone: str, error: str) -> None:
    with pytest.raises(ScheduleError) as caught:
        parse(text, zone)
    assert str(caught.value) == (error if error.startswith("timezone") else f"{text}: {error}")


@pytest.mark.parametrize(("text", "zone", "error"), rows(ERRORS))
def test_the_example_in_an_error_is_valid(text: str, zone: str, error: str) -> None:
    example = error.rpartition(", as ")[2]
    assert parse("rate(1 day)", example) if error.startswith("timezone") else parse(example, zone)


@given(st.text(alphabet="0123456789 */,-?LW#MONFRIJAN()catrone:T", max_size=40))
def test_any_text_is_parsed_or_rejected_with_a_valid_example(text: str) -> None:
    for whole in (text, f"cron({text})", f"cron(0 8 {text} * ? *)", f"at({text})", f"rate({text})"):
        try:
            parse(whole)
        except ScheduleError as error:
            assert parse(str(error).rpartition(", as ")[2])
