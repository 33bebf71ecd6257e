"""Endpoints with scheduled actions, valid and invalid. Rows have the same form as in autoscaling.py."""

from __future__ import annotations

from typing import Final

from tests.e2e.objects.autoscaling import (
    ACTION,
    LARGER,
    NO_CAPACITIES,
    NO_NAMES,
    TARGET,
    action,
    right,
    scaled,
    sets,
    target,
    wrong,
)
from tests.e2e.objects.case import REQUIRED, TYPE, UNKNOWN, accepted, refused
from tests.e2e.objects.endpoints import ENDPOINT

_SCHEDULES: Final = (
    ("at", "at(2027-01-31T08:00:00)"),
    ("at-past", "at(2020-01-31T08:00:00)"),
    ("at-leap-day", "at(2028-02-29T00:00:00)"),
    ("at-leap-day-2000", "at(2000-02-29T00:00:00)"),
    ("at-last-second", "at(2199-12-31T23:59:59)"),
    ("rate-minute", "rate(1 minute)"),
    ("rate-minutes", "rate(5 minutes)"),
    ("rate-hour", "rate(1 hour)"),
    ("rate-hours", "rate(12 hours)"),
    ("rate-day", "rate(1 day)"),
    ("rate-days", "rate(999999 days)"),
    ("cron-weekdays", "cron(0 8 ? * MON-FRI *)"),
    ("cron-every-day", "cron(15 12 * * ? *)"),
    ("cron-every-minute", "cron(* * * * ? *)"),
    ("cron-every-quarter", "cron(0/15 * * * ? *)"),
    ("cron-lists", "cron(0,15,30,45 8,12,18 1,15 1,4,7,10 ? 2027,2029)"),
    ("cron-ranges", "cron(0-30 8-17 1-7 3-9 ? 2027-2029)"),
    ("cron-range-over-midnight", "cron(0 22-2 ? * FRI-MON *)"),
    ("cron-steps", "cron(*/10 0/6 1/10 1/3 ? 2026/2)"),
    ("cron-last-day", "cron(0 8 L * ? *)"),
    ("cron-last-weekday", "cron(0 8 LW * ? *)"),
    ("cron-third-last-day", "cron(0 8 L-3 * ? *)"),
    ("cron-nearest-weekday", "cron(0 8 15W * ? *)"),
    ("cron-last-friday", "cron(0 8 ? * 6L *)"),
    ("cron-last-friday-by-name", "cron(0 8 ? * FRIL *)"),
    ("cron-second-friday", "cron(0 8 ? * FRI#2 *)"),
    ("cron-saturday", "cron(0 8 ? * L *)"),
    ("cron-small-letters", "cron(0 8 ? jan-mar mon-fri *)"),
    ("cron-seconds", "cron(0 0 8 ? * MON-FRI *)"),
    ("cron-many-blanks", "cron(0  8  ?  *  MON-FRI  *)"),
    ("cron-leap-day", "cron(0 0 29 2 ? *)"),
    ("cron-all-minutes", f"cron({','.join(str(m) for m in range(60))} * * * ? *)"),
)

_ACTIONS: Final = [
    ACTION | {"scheduledActionName": f"a{i}", "startTime": "2027-01-31T08:00:00Z", "endTime": "2028-01-31T08:00:00Z"}
    for i in range(50)
]

GOOD: Final = (
    *right(
        "action-name",
        action,
        "scheduledActionName",
        ("256", "a" * 256),
        ("blank-within", "Monday morning"),
        ("punctuation", "8-to-10_(a.m.)"),
        ("unicode", "früh"),
    ),
    *right("schedule", action, "schedule", *_SCHEDULES),
    *right(
        "timezone",
        action,
        "timezone",
        ("utc", "UTC"),
        ("city", "Europe/Berlin"),
        ("three-parts", "America/Argentina/Buenos_Aires"),
        ("fixed", "Etc/GMT+5"),
        ("hyphens", "America/Port-au-Prince"),
    ),
    *right(
        "start",
        action,
        "startTime",
        ("utc", "2027-01-31T08:00:00Z"),
        ("offset", "2027-01-31T08:00:00+02:00"),
        ("fraction", "2027-01-31T08:00:00.5Z"),
        ("leap-day", "2028-02-29T08:00:00Z"),
    ),
    accepted(
        "scaling-start-and-end", ENDPOINT, action(startTime="2027-01-31T08:00:00Z", endTime="2027-01-31T08:00:01Z")
    ),
    accepted(
        "scaling-start-and-end-other-zones",
        ENDPOINT,
        action(startTime="2027-01-31T08:00:00+02:00", endTime="2027-01-31T07:00:00Z"),
    ),
    accepted("scaling-sets-minimum", ENDPOINT, sets(minCapacity=200)),
    accepted("scaling-sets-maximum", ENDPOINT, sets(maxCapacity=0)),
    accepted("scaling-sets-both", ENDPOINT, sets(minCapacity=0, maxCapacity=0)),
    accepted("scaling-actions-50", ENDPOINT, target(scheduledActions=_ACTIONS)),
    accepted(
        "scaling-actions-500-for-10-variants",
        ENDPOINT,
        scaled(*(TARGET | {"variantName": f"v{i}", "scheduledActions": _ACTIONS} for i in range(10))),
    ),
)

_FORM: Final = ("neither at(…), rate(…) nor cron(…)", "cron(0 8 ? * MON-FRI *)")
_AT: Final = ("no moment of 1970 to 2199 as yyyy-mm-ddThh:mm:ss", "write it as at(2027-01-31T08:00:00)")
_LEAP: Final = ("29th of February of a year that has none", "write another day")
_RATE: Final = ("no whole number and unit", "rate(5 minutes)")
_VALUE: Final = ("not within 1 to 999999", "rate(5 minutes)")
_PLURAL: Final = ("minute, hour or day with 1, and minutes, hours or days with more", "rate(1 minute)")
_SIX: Final = ("six fields", "minutes hours day-of-month month day-of-week year", "write them all")
_MARK: Final = ("? in exactly one of its day fields", "cron(0 8 1 * ? *)", "cron(0 8 ? * MON-FRI *)")
_MINUTES, _HOURS, _MONTH_DAY, _MONTH, _WEEK_DAY, _YEAR = (
    (f"a wrong {name} field", holds, "cron(0 8 ? * MON-FRI *) is 08:00")
    for name, holds in (
        ("minutes", "0 to 59"),
        ("hours", "0 to 23"),
        ("day-of-month", "1 to 31"),
        ("month", "1 to 12 or JAN to DEC"),
        ("day-of-week", "SUN to SAT"),
        ("year", "1970 to 2199"),
    )
)
_SECONDS: Final = ("seven fields", "seconds, is no number of 0 to 59", "leave it out")

_BAD_SCHEDULES: Final = (
    ("missing", None, REQUIRED),
    ("empty", "", *_FORM),
    ("words", "every morning", *_FORM),
    ("number", 5, TYPE, "string"),
    ("257", f"cron({'0,' * 125}0 * * * ? *)", "Too long", "256"),
    ("bare-cron", "0 8 * * MON-FRI", *_FORM),
    ("at-sign", "@daily", *_FORM),
    ("capitals", "CRON(0 8 ? * MON-FRI *)", *_FORM),
    ("not-closed", "cron(0 8 ? * MON-FRI *", *_FORM),
    ("nothing-within", "cron()", *_FORM),
    ("blank-before", " rate(5 minutes)", *_FORM),
    ("blank-within", "rate( 5 minutes )", *_FORM),
    ("two-lines", "rate(5 minutes)\n", *_FORM),
    ("two-schedules", "rate(5 minutes), rate(1 hour)", *_RATE),
    ("brackets", "cron[0 8 ? * MON-FRI *]", *_FORM),
    ("at-date-alone", "at(2027-01-31)", *_AT),
    ("at-blank", "at(2027-01-31 08:00:00)", *_AT),
    ("at-zone", "at(2027-01-31T08:00:00Z)", *_AT, "the zone into timezone"),
    ("at-offset", "at(2027-01-31T08:00:00+01:00)", *_AT, "the zone into timezone"),
    ("at-no-seconds", "at(2027-01-31T08:00)", *_AT),
    ("at-fraction", "at(2027-01-31T08:00:00.5)", *_AT),
    ("at-month-13", "at(2027-13-01T08:00:00)", *_AT),
    ("at-day-0", "at(2027-01-00T08:00:00)", *_AT),
    ("at-day-32", "at(2027-01-32T08:00:00)", *_AT),
    ("at-april-31", "at(2027-04-31T08:00:00)", *_AT),
    ("at-february-30", "at(2028-02-30T08:00:00)", *_AT),
    ("at-february-29", "at(2027-02-29T08:00:00)", *_LEAP),
    ("at-february-29-2100", "at(2100-02-29T08:00:00)", *_LEAP),
    ("at-hour-24", "at(2027-01-31T24:00:00)", *_AT),
    ("at-minute-60", "at(2027-01-31T08:60:00)", *_AT),
    ("at-second-60", "at(2027-01-31T08:00:60)", *_AT),
    ("at-year-1969", "at(1969-12-31T23:59:59)", *_AT),
    ("at-year-2200", "at(2200-01-01T00:00:00)", *_AT),
    ("at-american", "at(01/31/2027 8:00 AM)", *_AT),
    ("at-several", "at(2027-01-31T08:00:00,2027-02-01T08:00:00)", *_AT),
    ("rate-0", "rate(0 minutes)", *_VALUE),
    ("rate-zeros", "rate(05 minutes)", *_VALUE),
    ("rate-7-digits", "rate(1000000 minutes)", *_VALUE),
    ("rate-negative", "rate(-5 minutes)", *_RATE),
    ("rate-fraction", "rate(1.5 hours)", *_RATE),
    ("rate-seconds", "rate(30 seconds)", *_RATE),
    ("rate-weeks", "rate(2 weeks)", *_RATE),
    ("rate-no-unit", "rate(5)", *_RATE),
    ("rate-no-value", "rate(minutes)", *_RATE),
    ("rate-no-blank", "rate(5minutes)", *_RATE),
    ("rate-short-unit", "rate(5 min)", *_RATE),
    ("rate-word", "rate(five minutes)", *_RATE),
    ("rate-1-minutes", "rate(1 minutes)", *_PLURAL),
    ("rate-1-hours", "rate(1 hours)", *_PLURAL),
    ("rate-1-days", "rate(1 days)", *_PLURAL),
    ("rate-5-minute", "rate(5 minute)", *_PLURAL),
    ("rate-10-day", "rate(10 day)", *_PLURAL),
    ("cron-1-field", "cron(*)", *_SIX),
    ("cron-5-fields", "cron(0 8 * * MON-FRI)", *_SIX),
    ("cron-8-fields", "cron(0 0 8 ? * MON-FRI * *)", *_SIX),
    ("cron-commas", "cron(0,8,?,*,MON-FRI,*)", *_SIX),
    ("cron-no-mark", "cron(0 8 * * * *)", *_MARK),
    ("cron-both-days", "cron(0 8 1 * MON *)", *_MARK),
    ("cron-weekdays-and-star", "cron(0 8 * * MON-FRI *)", *_MARK),
    ("cron-two-marks", "cron(0 8 ? * ? *)", *_MARK),
    ("cron-minute-60", "cron(60 8 ? * MON-FRI *)", *_MINUTES),
    ("cron-minute-negative", "cron(-1 8 ? * MON-FRI *)", *_MINUTES),
    ("cron-minute-mark", "cron(? 8 ? * MON-FRI *)", *_MINUTES),
    ("cron-minute-step-0", "cron(0/0 8 ? * MON-FRI *)", *_MINUTES),
    ("cron-minute-step-alone", "cron(/15 8 ? * MON-FRI *)", *_MINUTES),
    ("cron-minute-step-61", "cron(0/61 8 ? * MON-FRI *)", *_MINUTES),
    ("cron-minute-comma-last", "cron(0, 8 ? * MON-FRI *)", *_MINUTES),
    ("cron-minute-open-range", "cron(10- 8 ? * MON-FRI *)", *_MINUTES),
    ("cron-minute-last", "cron(L 8 ? * MON-FRI *)", *_MINUTES),
    ("cron-hour-24", "cron(0 24 ? * MON-FRI *)", *_HOURS),
    ("cron-hour-range-24", "cron(0 8-24 ? * MON-FRI *)", *_HOURS),
    ("cron-hour-step-25", "cron(0 */25 ? * MON-FRI *)", *_HOURS),
    ("cron-hour-pm", "cron(0 8pm ? * MON-FRI *)", *_HOURS),
    ("cron-hour-and-minute", "cron(0 08:00 ? * MON-FRI *)", *_HOURS),
    ("cron-day-0", "cron(0 8 0 * ? *)", *_MONTH_DAY),
    ("cron-day-32", "cron(0 8 32 * ? *)", *_MONTH_DAY),
    ("cron-day-name", "cron(0 8 MON * ? *)", *_MONTH_DAY),
    ("cron-day-32w", "cron(0 8 32W * ? *)", *_MONTH_DAY),
    ("cron-day-w", "cron(0 8 W * ? *)", *_MONTH_DAY),
    ("cron-day-l-31", "cron(0 8 L-31 * ? *)", *_MONTH_DAY),
    ("cron-day-l-in-list", "cron(0 8 1,L * ? *)", *_MONTH_DAY),
    ("cron-day-range-w", "cron(0 8 1-5W * ? *)", *_MONTH_DAY),
    ("cron-month-0", "cron(0 8 1 0 ? *)", *_MONTH),
    ("cron-month-13", "cron(0 8 1 13 ? *)", *_MONTH),
    ("cron-month-long-name", "cron(0 8 1 JANUARY ? *)", *_MONTH),
    ("cron-month-german", "cron(0 8 1 MAI ? *)", *_MONTH),
    ("cron-month-day-name", "cron(0 8 ? MON-FRI * *)", *_MONTH),
    ("cron-weekday-0", "cron(0 8 ? * 0 *)", *_WEEK_DAY),
    ("cron-weekday-8", "cron(0 8 ? * 8 *)", *_WEEK_DAY),
    ("cron-weekday-long-name", "cron(0 8 ? * MONDAY *)", *_WEEK_DAY),
    ("cron-weekday-sixth", "cron(0 8 ? * FRI#6 *)", *_WEEK_DAY),
    ("cron-weekday-zeroth", "cron(0 8 ? * FRI#0 *)", *_WEEK_DAY),
    ("cron-weekday-nth-in-list", "cron(0 8 ? * MON#1,TUE#1 *)", *_WEEK_DAY),
    ("cron-weekday-w", "cron(0 8 ? * 15W *)", *_WEEK_DAY),
    ("cron-year-1969", "cron(0 8 ? * MON-FRI 1969)", *_YEAR),
    ("cron-year-2200", "cron(0 8 ? * MON-FRI 2200)", *_YEAR),
    ("cron-year-short", "cron(0 8 ? * MON-FRI 27)", *_YEAR),
    ("cron-year-mark", "cron(0 8 ? * MON-FRI ?)", *_YEAR),
    ("cron-seconds-60", "cron(60 0 8 ? * MON-FRI *)", *_SECONDS),
    ("cron-seconds-star", "cron(* 0 8 ? * MON-FRI *)", *_SECONDS),
    ("cron-two-wrong-fields", "cron(60 24 ? * MON-FRI *)", *_MINUTES, *_HOURS),
)

_ZONE: Final = ("is not the name of a time zone", "write an IANA name, as UTC or Europe/Berlin")
_WHEN: Final = ("is not a moment from 1970 to 2199 with its zone", "write it in UTC, as 2027-01-31T08:00:00Z")
_BAD_MOMENTS: Final = (
    ("no-zone", "2027-01-31T08:00:00", *_WHEN),
    ("date-alone", "2027-01-31", *_WHEN),
    ("empty", "", *_WHEN),
    ("small-letters", "2027-01-31t08:00:00z", *_WHEN),
    ("no-such-day", "2027-02-30T08:00:00Z", *_WHEN),
    ("no-leap-year", "2027-02-29T08:00:00Z", *_WHEN),
    ("year-1969", "1969-12-31T23:59:59Z", *_WHEN),
    ("year-2200", "2200-01-01T00:00:00Z", *_WHEN),
    ("hour-24", "2027-01-31T24:00:00Z", *_WHEN),
    ("offset-99", "2027-01-31T08:00:00+99:99", *_WHEN),
    ("epoch", 1801382400, TYPE, "string"),
    ("41", "z" * 41, "Too long", "40"),
)
_EARLIER: Final = ("endTime is not after startTime", "move one of them")
_NO_SIGNS: Final = ("none of them : / or", "choose such a name, as morning")

BAD: Final = (
    *wrong(
        "actions",
        target,
        "scheduledActions",
        ("object", ACTION, UNKNOWN),
        ("51", [*_ACTIONS, ACTION], "Too many", "50"),
    ),
    refused(
        "scaling-action-twice",
        ENDPOINT,
        target(scheduledActions=[ACTION, ACTION]),
        "scheduledActions[1]",
        "Duplicate value",
        "morning",
    ),
    *wrong(
        "action-name",
        action,
        "scheduledActionName",
        *NO_NAMES,
        ("colon", "8:00", *_NO_SIGNS),
        ("slash", "in/out", *_NO_SIGNS),
        ("bar", "in|out", *_NO_SIGNS),
    ),
    *wrong("aws", action, "desiredCapacity", ("action-desired", 4, UNKNOWN)),
    *wrong("schedule", action, "schedule", *_BAD_SCHEDULES),
    *wrong(
        "timezone",
        action,
        "timezone",
        ("empty", "", *_ZONE),
        ("offset", "+01:00", *_ZONE),
        ("blank", "Europe/ Berlin", *_ZONE),
        ("slash-last", "Europe/", *_ZONE),
        ("path", "../etc/passwd", *_ZONE),
        ("65", "Z" * 65, "Too long", "64"),
        ("number", 1, TYPE, "string"),
    ),
    *wrong("start", action, "startTime", *_BAD_MOMENTS),
    *wrong("end", action, "endTime", *_BAD_MOMENTS[:3]),
    refused(
        "scaling-end-before-start",
        ENDPOINT,
        action(startTime="2027-02-01T00:00:00Z", endTime="2027-01-01T00:00:00Z"),
        *_EARLIER,
    ),
    refused(
        "scaling-end-at-start",
        ENDPOINT,
        action(startTime="2027-02-01T00:00:00Z", endTime="2027-02-01T00:00:00Z"),
        *_EARLIER,
    ),
    refused(
        "scaling-end-at-start-other-zone",
        ENDPOINT,
        action(startTime="2027-02-01T00:00:00Z", endTime="2027-02-01T01:00:00+01:00"),
        *_EARLIER,
    ),
    *wrong(
        "sets",
        action,
        "scalableTargetAction",
        ("missing", None, REQUIRED),
        ("nothing", {}, "sets nothing", "give minCapacity, maxCapacity or both"),
        ("number", 4, TYPE, "object"),
        ("desired", {"desiredCapacity": 4}, UNKNOWN),
    ),
    *wrong("sets-minimum", sets, "minCapacity", *NO_CAPACITIES),
    *wrong("sets-maximum", sets, "maxCapacity", *NO_CAPACITIES),
    refused(
        "scaling-sets-minimum-above-maximum",
        ENDPOINT,
        sets(minCapacity=5, maxCapacity=4),
        "a scalableTargetAction",
        *LARGER,
    ),
)

CHANGES: Final = (
    accepted("scaling-edit-schedule", ENDPOINT, action(), change={"spec": action(schedule="rate(1 hour)")}),
    refused(
        "scaling-edit-schedule-wrong", ENDPOINT, action(), *_PLURAL, change={"spec": action(schedule="rate(1 hours)")}
    ),
)

CASES: Final = (*GOOD, *BAD, *CHANGES)
