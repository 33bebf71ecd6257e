"""Schedules: a table of what each text means, and one of what is wrong with others; and what holds for all of them."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kindler.core.schedule import Rate, Recurring, Schedule, ScheduleError, parse
from tests.unit.schedules import Oracle

START = datetime(2024, 11, 1, tzinfo=UTC).timestamp()  # what rates count from here; a Friday

# Changes of clocks are past ones: those to come change with the time zone database.
# schedule | zone | seen from | the last moment until then | the next two (all by the zone's clock; "-": none)
MOMENTS = """
# every day, hour, minute
cron(0 8 * * ? *) | UTC | 2026-11-24 13:00 | 2026-11-24 08:00 | 2026-11-25 08:00 | 2026-11-26 08:00
cron(0 8 * * ? *) | UTC | 2026-11-24 08:00 | 2026-11-24 08:00 | 2026-11-25 08:00 | 2026-11-26 08:00
cron(0 8 * * ? *) | UTC | 2026-11-24 07:59 | 2026-11-23 08:00 | 2026-11-24 08:00 | 2026-11-25 08:00
cron(15 12 * * ? *) | UTC | 2026-12-31 12:15 | 2026-12-31 12:15 | 2027-01-01 12:15 | 2027-01-02 12:15
cron(0 0 * * ? *) | UTC | 2026-12-31 23:59 | 2026-12-31 00:00 | 2027-01-01 00:00 | 2027-01-02 00:00
cron(59 23 * * ? *) | UTC | 2027-01-01 00:00 | 2026-12-31 23:59 | 2027-01-01 23:59 | 2027-01-02 23:59
cron(* * * * ? *) | UTC | 2026-12-31 23:59 | 2026-12-31 23:59 | 2027-01-01 00:00 | 2027-01-01 00:01
cron(0 * * * ? *) | UTC | 2026-12-31 23:00 | 2026-12-31 23:00 | 2027-01-01 00:00 | 2027-01-01 01:00
cron(* 0 * * ? *) | UTC | 2026-11-24 00:59 | 2026-11-24 00:59 | 2026-11-25 00:00 | 2026-11-25 00:01
cron(30 * 1 1 ? *) | UTC | 2027-01-01 23:30 | 2027-01-01 23:30 | 2028-01-01 00:30 | 2028-01-01 01:30
# lists, ranges, steps
cron(0/15 * * * ? *) | UTC | 2026-11-24 13:50 | 2026-11-24 13:45 | 2026-11-24 14:00 | 2026-11-24 14:15
cron(*/15 * * * ? *) | UTC | 2026-11-24 13:45 | 2026-11-24 13:45 | 2026-11-24 14:00 | 2026-11-24 14:15
cron(5/15 * * * ? *) | UTC | 2026-11-24 13:50 | 2026-11-24 13:50 | 2026-11-24 14:05 | 2026-11-24 14:20
cron(1/10 * * * ? *) | UTC | 2026-11-24 13:51 | 2026-11-24 13:51 | 2026-11-24 14:01 | 2026-11-24 14:11
cron(0/60 * * * ? *) | UTC | 2026-11-24 13:50 | 2026-11-24 13:00 | 2026-11-24 14:00 | 2026-11-24 15:00
cron(7/59 * * * ? *) | UTC | 2026-11-24 13:50 | 2026-11-24 13:07 | 2026-11-24 14:07 | 2026-11-24 15:07
cron(0/25 * * * ? *) | UTC | 2026-11-24 13:50 | 2026-11-24 13:50 | 2026-11-24 14:00 | 2026-11-24 14:25
cron(0-15/1 8-8 ? * 2,3,4,5,6,7 *) | UTC | 2026-11-24 08:14 | 2026-11-24 08:14 | 2026-11-24 08:15 | 2026-11-25 08:00
cron(30-30 13-13 ? * 2,4,6 *) | UTC | 2026-11-24 13:00 | 2026-11-23 13:30 | 2026-11-25 13:30 | 2026-11-27 13:30
cron(1-31/30 1-1 ? * 1,7 *) | UTC | 2026-11-24 13:00 | 2026-11-22 01:31 | 2026-11-28 01:01 | 2026-11-28 01:31
cron(0 8,20 * * ? *) | UTC | 2026-11-24 13:00 | 2026-11-24 08:00 | 2026-11-24 20:00 | 2026-11-25 08:00
cron(0 20,8,20 * * ? *) | UTC | 2026-11-24 13:00 | 2026-11-24 08:00 | 2026-11-24 20:00 | 2026-11-25 08:00
cron(0 9-17 ? * MON-FRI *) | UTC | 2026-11-27 17:00 | 2026-11-27 17:00 | 2026-11-30 09:00 | 2026-11-30 10:00
cron(0/5 8-17 ? * MON-FRI *) | UTC | 2026-11-27 17:55 | 2026-11-27 17:55 | 2026-11-30 08:00 | 2026-11-30 08:05
cron(0/30 20-2 ? * MON-FRI *) | UTC | 2026-11-27 02:30 | 2026-11-27 02:30 | 2026-11-27 20:00 | 2026-11-27 20:30
cron(0 0/6 * * ? *) | UTC | 2026-11-24 18:00 | 2026-11-24 18:00 | 2026-11-25 00:00 | 2026-11-25 06:00
cron(0 1/6 * * ? *) | UTC | 2026-11-24 19:30 | 2026-11-24 19:00 | 2026-11-25 01:00 | 2026-11-25 07:00
cron(0 8-20/4 * * ? *) | UTC | 2026-11-24 20:01 | 2026-11-24 20:00 | 2026-11-25 08:00 | 2026-11-25 12:00
cron(10,20-22,50/5 12 * * ? *) | UTC | 2026-11-24 12:21 | 2026-11-24 12:21 | 2026-11-24 12:22 | 2026-11-24 12:50
cron(00 08 01 01 ? *) | UTC | 2026-11-24 13:00 | 2026-01-01 08:00 | 2027-01-01 08:00 | 2028-01-01 08:00
# ranges that go around
cron(0 8 ? * FRI-MON *) | UTC | 2026-11-24 13:00 | 2026-11-23 08:00 | 2026-11-27 08:00 | 2026-11-28 08:00
cron(0 8 ? * 6-2 *) | UTC | 2026-11-24 13:00 | 2026-11-23 08:00 | 2026-11-27 08:00 | 2026-11-28 08:00
cron(0 8 ? * SAT-SUN *) | UTC | 2026-11-24 13:00 | 2026-11-22 08:00 | 2026-11-28 08:00 | 2026-11-29 08:00
cron(0 8 1 NOV-FEB ? *) | UTC | 2026-11-24 13:00 | 2026-11-01 08:00 | 2026-12-01 08:00 | 2027-01-01 08:00
cron(0 8 1 11-2 ? *) | UTC | 2027-02-01 08:00 | 2027-02-01 08:00 | 2027-11-01 08:00 | 2027-12-01 08:00
cron(0 22-2 * * ? *) | UTC | 2026-11-24 13:00 | 2026-11-24 02:00 | 2026-11-24 22:00 | 2026-11-24 23:00
cron(0 22-2/2 * * ? *) | UTC | 2026-11-24 13:00 | 2026-11-24 02:00 | 2026-11-24 22:00 | 2026-11-25 00:00
cron(50-10/5 3 * * ? *) | UTC | 2026-11-24 03:07 | 2026-11-24 03:05 | 2026-11-24 03:10 | 2026-11-24 03:50
cron(0 8 30-2 * ? *) | UTC | 2027-02-01 13:00 | 2027-02-01 08:00 | 2027-02-02 08:00 | 2027-03-01 08:00
cron(0 8 1 NOV-JUN/3 ? *) | UTC | 2026-11-24 13:00 | 2026-11-01 08:00 | 2027-02-01 08:00 | 2027-05-01 08:00
cron(0 8 ? * SAT-FRI/3 *) | UTC | 2026-11-24 13:00 | 2026-11-24 08:00 | 2026-11-27 08:00 | 2026-11-28 08:00
# months and their names
cron(0 8 1 JAN,APR,JUL,OCT ? *) | UTC | 2026-11-24 13:00 | 2026-10-01 08:00 | 2027-01-01 08:00 | 2027-04-01 08:00
cron(0 8 1 jan,Apr,JUL,10 ? *) | UTC | 2026-11-24 13:00 | 2026-10-01 08:00 | 2027-01-01 08:00 | 2027-04-01 08:00
cron(0 8 1 1/3 ? *) | UTC | 2026-11-24 13:00 | 2026-10-01 08:00 | 2027-01-01 08:00 | 2027-04-01 08:00
cron(0 8 1 */6 ? *) | UTC | 2026-11-24 13:00 | 2026-07-01 08:00 | 2027-01-01 08:00 | 2027-07-01 08:00
cron(0 8 15 JUN-AUG ? *) | UTC | 2026-11-24 13:00 | 2026-08-15 08:00 | 2027-06-15 08:00 | 2027-07-15 08:00
cron(0 8 31 * ? *) | UTC | 2026-11-24 13:00 | 2026-10-31 08:00 | 2026-12-31 08:00 | 2027-01-31 08:00
cron(0 8 30 * ? *) | UTC | 2027-01-30 08:00 | 2027-01-30 08:00 | 2027-03-30 08:00 | 2027-04-30 08:00
cron(0 8 31 4,6,9,11,12 ? *) | UTC | 2026-11-24 13:00 | 2025-12-31 08:00 | 2026-12-31 08:00 | 2027-12-31 08:00
cron(0 8 1/10 * ? *) | UTC | 2026-11-24 13:00 | 2026-11-21 08:00 | 2026-12-01 08:00 | 2026-12-11 08:00
cron(0 8 */10 * ? *) | UTC | 2027-01-31 13:00 | 2027-01-31 08:00 | 2027-02-01 08:00 | 2027-02-11 08:00
cron(0 8 10-20/5 * ? *) | UTC | 2026-11-24 13:00 | 2026-11-20 08:00 | 2026-12-10 08:00 | 2026-12-15 08:00
# days of the week: 1 is Sunday
cron(0 8 ? * 1 *) | UTC | 2026-11-24 13:00 | 2026-11-22 08:00 | 2026-11-29 08:00 | 2026-12-06 08:00
cron(0 8 ? * 2 *) | UTC | 2026-11-24 13:00 | 2026-11-23 08:00 | 2026-11-30 08:00 | 2026-12-07 08:00
cron(0 8 ? * 7 *) | UTC | 2026-11-24 13:00 | 2026-11-21 08:00 | 2026-11-28 08:00 | 2026-12-05 08:00
cron(0 8 ? * SUN *) | UTC | 2026-11-24 13:00 | 2026-11-22 08:00 | 2026-11-29 08:00 | 2026-12-06 08:00
cron(0 8 ? * MON-FRI *) | UTC | 2026-11-27 08:00 | 2026-11-27 08:00 | 2026-11-30 08:00 | 2026-12-01 08:00
cron(0 8 ? * mon-fri *) | UTC | 2026-11-27 08:00 | 2026-11-27 08:00 | 2026-11-30 08:00 | 2026-12-01 08:00
cron(0 8 ? * 2-6 *) | UTC | 2026-11-27 08:00 | 2026-11-27 08:00 | 2026-11-30 08:00 | 2026-12-01 08:00
cron(0 8 ? * MON,WED,FRI *) | UTC | 2026-11-24 13:00 | 2026-11-23 08:00 | 2026-11-25 08:00 | 2026-11-27 08:00
cron(0 8 ? * TUE-6 *) | UTC | 2026-11-27 13:00 | 2026-11-27 08:00 | 2026-12-01 08:00 | 2026-12-02 08:00
cron(0 8 ? * * *) | UTC | 2026-11-24 13:00 | 2026-11-24 08:00 | 2026-11-25 08:00 | 2026-11-26 08:00
cron(0 8 ? * 2/2 *) | UTC | 2026-11-24 13:00 | 2026-11-23 08:00 | 2026-11-25 08:00 | 2026-11-27 08:00
cron(0 8 ? * */3 *) | UTC | 2026-11-24 13:00 | 2026-11-22 08:00 | 2026-11-25 08:00 | 2026-11-28 08:00
cron(0 8 ? * L *) | UTC | 2026-11-24 13:00 | 2026-11-21 08:00 | 2026-11-28 08:00 | 2026-12-05 08:00
cron(30 6 ? * MON *) | UTC | 2026-11-24 13:00 | 2026-11-23 06:30 | 2026-11-30 06:30 | 2026-12-07 06:30
# the last one of a kind, and the nth
cron(15 10 ? * 6L 2026-2027) | UTC | 2026-11-24 13:00 | 2026-10-30 10:15 | 2026-11-27 10:15 | 2026-12-25 10:15
cron(0 8 ? * FRIL *) | UTC | 2026-11-27 08:00 | 2026-11-27 08:00 | 2026-12-25 08:00 | 2027-01-29 08:00
cron(0 8 ? * 1L *) | UTC | 2026-11-29 08:00 | 2026-11-29 08:00 | 2026-12-27 08:00 | 2027-01-31 08:00
cron(0 8 ? 2 1L *) | UTC | 2026-11-24 13:00 | 2026-02-22 08:00 | 2027-02-28 08:00 | 2028-02-27 08:00
cron(0 8 ? * FRI#2 *) | UTC | 2026-11-24 13:00 | 2026-11-13 08:00 | 2026-12-11 08:00 | 2027-01-08 08:00
cron(0 8 ? * 6#2 *) | UTC | 2026-11-24 13:00 | 2026-11-13 08:00 | 2026-12-11 08:00 | 2027-01-08 08:00
cron(0 8 ? * 2#1 *) | UTC | 2026-11-24 13:00 | 2026-11-02 08:00 | 2026-12-07 08:00 | 2027-01-04 08:00
cron(0 8 ? * MON#5 *) | UTC | 2026-11-30 08:00 | 2026-11-30 08:00 | 2027-03-29 08:00 | 2027-05-31 08:00
cron(0 8 ? * SUN#5 *) | UTC | 2026-11-24 13:00 | 2026-08-30 08:00 | 2026-11-29 08:00 | 2027-01-31 08:00
cron(0 8 ? 2 FRI#5 *) | UTC | 2026-11-24 13:00 | 2008-02-29 08:00 | 2036-02-29 08:00 | 2064-02-29 08:00
cron(0 8 ? 2 TUE#5 *) | UTC | 2026-11-24 13:00 | 2000-02-29 08:00 | 2028-02-29 08:00 | 2056-02-29 08:00
cron(0 8 ? 11 THU#4 *) | UTC | 2026-11-24 13:00 | 2025-11-27 08:00 | 2026-11-26 08:00 | 2027-11-25 08:00
# the last day of the month, and weekdays near a day
cron(0 8 L * ? *) | UTC | 2026-11-24 13:00 | 2026-10-31 08:00 | 2026-11-30 08:00 | 2026-12-31 08:00
cron(0 8 L 2 ? *) | UTC | 2026-11-24 13:00 | 2026-02-28 08:00 | 2027-02-28 08:00 | 2028-02-29 08:00
cron(0 8 L-3 * ? *) | UTC | 2026-11-27 08:00 | 2026-11-27 08:00 | 2026-12-28 08:00 | 2027-01-28 08:00
cron(0 8 L-1 2 ? *) | UTC | 2026-11-24 13:00 | 2026-02-27 08:00 | 2027-02-27 08:00 | 2028-02-28 08:00
cron(0 8 L-30 * ? *) | UTC | 2026-11-24 13:00 | 2026-10-01 08:00 | 2026-12-01 08:00 | 2027-01-01 08:00
cron(0 8 L-0 * ? *) | UTC | 2026-11-24 13:00 | 2026-10-31 08:00 | 2026-11-30 08:00 | 2026-12-31 08:00
cron(0 8 l * ? *) | UTC | 2026-11-24 13:00 | 2026-10-31 08:00 | 2026-11-30 08:00 | 2026-12-31 08:00
cron(0 8 LW * ? *) | UTC | 2026-11-24 13:00 | 2026-10-30 08:00 | 2026-11-30 08:00 | 2026-12-31 08:00
cron(0 8 LW 2 ? *) | UTC | 2026-11-24 13:00 | 2026-02-27 08:00 | 2027-02-26 08:00 | 2028-02-29 08:00
cron(0 8 LW 1 ? 2027) | UTC | 2026-11-24 13:00 | - | 2027-01-29 08:00 | -
cron(0 8 L-2W * ? *) | UTC | 2026-11-24 13:00 | 2026-10-29 08:00 | 2026-11-27 08:00 | 2026-12-29 08:00
cron(0 8 15W * ? *) | UTC | 2026-11-24 13:00 | 2026-11-16 08:00 | 2026-12-15 08:00 | 2027-01-15 08:00
cron(0 8 15w * ? *) | UTC | 2026-11-24 13:00 | 2026-11-16 08:00 | 2026-12-15 08:00 | 2027-01-15 08:00
cron(0 8 1W * ? *) | UTC | 2026-11-24 13:00 | 2026-11-02 08:00 | 2026-12-01 08:00 | 2027-01-01 08:00
cron(0 8 1W 5 ? *) | UTC | 2026-11-24 13:00 | 2026-05-01 08:00 | 2027-05-03 08:00 | 2028-05-01 08:00
cron(0 8 1W 8 ? *) | UTC | 2026-11-24 13:00 | 2026-08-03 08:00 | 2027-08-02 08:00 | 2028-08-01 08:00
cron(0 8 31W * ? *) | UTC | 2026-11-24 13:00 | 2026-10-30 08:00 | 2026-12-31 08:00 | 2027-01-29 08:00
cron(0 8 30W * ? *) | UTC | 2027-01-15 13:00 | 2026-12-30 08:00 | 2027-01-29 08:00 | 2027-03-30 08:00
cron(0 8 3W 1 ? *) | UTC | 2026-11-24 13:00 | 2026-01-02 08:00 | 2027-01-04 08:00 | 2028-01-03 08:00
# years and leap days
cron(0 8 29 2 ? *) | UTC | 2026-11-24 13:00 | 2024-02-29 08:00 | 2028-02-29 08:00 | 2032-02-29 08:00
cron(0 8 29 2 ? *) | UTC | 2096-03-01 00:00 | 2096-02-29 08:00 | 2104-02-29 08:00 | 2108-02-29 08:00
cron(0 8 L 2 ? 2100) | UTC | 2026-11-24 13:00 | - | 2100-02-28 08:00 | -
cron(0 8 29 2 ? 2027-2029) | UTC | 2026-11-24 13:00 | - | 2028-02-29 08:00 | -
cron(0 8 1 1 ? 2027) | UTC | 2026-11-24 13:00 | - | 2027-01-01 08:00 | -
cron(0 8 1 1 ? 2027) | UTC | 2027-01-01 08:00 | 2027-01-01 08:00 | - | -
cron(0 8 1 1 ? 2027,2030) | UTC | 2027-06-01 00:00 | 2027-01-01 08:00 | 2030-01-01 08:00 | -
cron(0 8 1 1 ? 2027-2199/50) | UTC | 2027-06-01 00:00 | 2027-01-01 08:00 | 2077-01-01 08:00 | 2127-01-01 08:00
cron(0 8 1 1 ? */10) | UTC | 2027-06-01 00:00 | 2020-01-01 08:00 | 2030-01-01 08:00 | 2040-01-01 08:00
cron(0 8 1 1 ? 2026/5) | UTC | 2027-06-01 00:00 | 2026-01-01 08:00 | 2031-01-01 08:00 | 2036-01-01 08:00
cron(0 8 * * ? 2020) | UTC | 2026-11-24 13:00 | 2020-12-31 08:00 | - | -
cron(59 23 31 12 ? 2199) | UTC | 2026-11-24 13:00 | - | 2199-12-31 23:59 | -
cron(59 23 31 12 ? 2199) | UTC | 2199-12-31 23:59 | 2199-12-31 23:59 | - | -
cron(0 0 1 1 ? 1970) | UTC | 2026-11-24 13:00 | 1970-01-01 00:00 | - | -
# seven fields: seconds before them
cron(0 0 8 * * ? *) | UTC | 2026-11-24 13:00 | 2026-11-24 08:00 | 2026-11-25 08:00 | 2026-11-26 08:00
cron(30 0 8 * * ? *) | UTC | 2026-11-24 08:00 | 2026-11-23 08:00:30 | 2026-11-24 08:00:30 | 2026-11-25 08:00:30
cron(0 15 10 ? * 6L 2027-2028) | UTC | 2026-11-24 13:00 | - | 2027-01-29 10:15 | 2027-02-26 10:15
cron(59 59 23 31 12 ? *) | UTC | 2026-12-31 23:59 | 2025-12-31 23:59:59 | 2026-12-31 23:59:59 | 2027-12-31 23:59:59
# clocks put forward: what they skip does not come
cron(30 2 * * ? *) | Europe/Berlin | 2025-03-29 12:00 | 2025-03-29 02:30+0100 | 2025-03-31 02:30+0200 | 2025-04-01 02:30+0200
cron(0 2 * * ? *) | Europe/Berlin | 2025-03-30 01:59 | 2025-03-29 02:00+0100 | 2025-03-31 02:00+0200 | 2025-04-01 02:00+0200
cron(0 3 * * ? *) | Europe/Berlin | 2025-03-30 01:59 | 2025-03-29 03:00+0100 | 2025-03-30 03:00+0200 | 2025-03-31 03:00+0200
cron(0/30 * * * ? *) | Europe/Berlin | 2025-03-30 01:30 | 2025-03-30 01:30+0100 | 2025-03-30 03:00+0200 | 2025-03-30 03:30+0200
cron(59 1 30 3 ? *) | Europe/Berlin | 2025-03-30 01:00 | 2024-03-30 01:59+0100 | 2025-03-30 01:59+0100 | 2026-03-30 01:59+0200
cron(30 2 30 3 ? *) | Europe/Berlin | 2025-11-25 13:00 | 2024-03-30 02:30+0100 | 2026-03-30 02:30+0200 | 2027-03-30 02:30+0200
cron(0 8 * * ? *) | Europe/Berlin | 2025-03-29 12:00 | 2025-03-29 08:00+0100 | 2025-03-30 08:00+0200 | 2025-03-31 08:00+0200
cron(30 2 ? * SUN *) | America/New_York | 2025-03-08 12:00 | 2025-03-02 02:30-0500 | 2025-03-16 02:30-0400 | 2025-03-23 02:30-0400
cron(0 0 * * ? *) | America/Santiago | 2025-09-06 12:00 | 2025-09-06 00:00-0400 | 2025-09-08 00:00-0300 | 2025-09-09 00:00-0300
cron(0 0 ? * FRI *) | Africa/Cairo | 2025-04-24 12:00 | 2025-04-18 00:00+0200 | 2025-05-02 00:00+0300 | 2025-05-09 00:00+0300
cron(15 2 * * ? *) | Australia/Lord_Howe | 2025-10-04 12:00 | 2025-10-04 02:15+1030 | 2025-10-06 02:15+1100 | 2025-10-07 02:15+1100
cron(0 12 * * ? *) | Pacific/Apia | 2011-12-29 13:00 | 2011-12-29 12:00-1000 | 2011-12-31 12:00+1400 | 2012-01-01 12:00+1400
cron(0 12 30 12 ? *) | Pacific/Apia | 2011-12-01 13:00 | 2010-12-30 12:00-1000 | 2012-12-30 12:00+1400 | 2013-12-30 12:00+1400
# clocks put back: what comes twice acts once, the first time
cron(30 2 * * ? *) | Europe/Berlin | 2024-10-26 12:00 | 2024-10-26 02:30+0200 | 2024-10-27 02:30+0200 | 2024-10-28 02:30+0100
cron(30 2 * * ? *) | Europe/Berlin | 2024-10-27 02:45 | 2024-10-27 02:30+0200 | 2024-10-28 02:30+0100 | 2024-10-29 02:30+0100
cron(0/30 * * * ? *) | Europe/Berlin | 2024-10-27 01:30 | 2024-10-27 01:30+0200 | 2024-10-27 02:00+0200 | 2024-10-27 02:30+0200
cron(30 1 * * ? *) | America/New_York | 2025-11-01 12:00 | 2025-11-01 01:30-0400 | 2025-11-02 01:30-0400 | 2025-11-03 01:30-0500
cron(45 1 * * ? *) | Australia/Lord_Howe | 2025-04-05 12:00 | 2025-04-05 01:45+1100 | 2025-04-06 01:45+1100 | 2025-04-07 01:45+1030
cron(0 0 * * ? *) | America/Havana | 2024-11-02 12:00 | 2024-11-02 00:00-0400 | 2024-11-03 00:00-0400 | 2024-11-04 00:00-0500
cron(0 8 * * ? *) | Europe/Berlin | 2024-10-26 12:00 | 2024-10-26 08:00+0200 | 2024-10-27 08:00+0100 | 2024-10-28 08:00+0100
# zones
cron(0 8 * * ? *) | America/New_York | 2025-11-25 13:00 | 2025-11-25 08:00-0500 | 2025-11-26 08:00-0500 | 2025-11-27 08:00-0500
cron(0 8 * * ? *) | Asia/Tokyo | 2025-11-25 13:00 | 2025-11-25 08:00+0900 | 2025-11-26 08:00+0900 | 2025-11-27 08:00+0900
cron(0 8 * * ? *) | Asia/Kolkata | 2025-11-25 13:00 | 2025-11-25 08:00+0530 | 2025-11-26 08:00+0530 | 2025-11-27 08:00+0530
cron(0 8 * * ? *) | Asia/Kathmandu | 2025-11-25 13:00 | 2025-11-25 08:00+0545 | 2025-11-26 08:00+0545 | 2025-11-27 08:00+0545
cron(0 8 * * ? *) | Etc/GMT+9 | 2025-11-25 13:00 | 2025-11-25 08:00-0900 | 2025-11-26 08:00-0900 | 2025-11-27 08:00-0900
cron(0 8 * * ? *) | Pacific/Tahiti | 2025-11-25 13:00 | 2025-11-25 08:00-1000 | 2025-11-26 08:00-1000 | 2025-11-27 08:00-1000
cron(0 0 1 1 ? *) | Pacific/Kiritimati | 2025-12-31 23:59 | 2025-01-01 00:00+1400 | 2026-01-01 00:00+1400 | 2027-01-01 00:00+1400
cron(0 0 L * ? *) | Pacific/Pago_Pago | 2025-11-30 12:00 | 2025-11-30 00:00-1100 | 2025-12-31 00:00-1100 | 2026-01-31 00:00-1100
cron(0 23 ? * SUN *) | Pacific/Auckland | 2025-11-25 13:00 | 2025-11-23 23:00+1300 | 2025-11-30 23:00+1300 | 2025-12-07 23:00+1300
cron(0 8 * * ? *) | Europe/Dublin | 2025-03-29 12:00 | 2025-03-29 08:00+0000 | 2025-03-30 08:00+0100 | 2025-03-31 08:00+0100
cron(0 8 1 7 ? 2150) | Etc/GMT-2 | 2025-11-25 13:00 | - | 2150-07-01 08:00+0200 | -
# at
at(2027-01-31T08:00:00) | UTC | 2026-11-24 13:00 | - | 2027-01-31 08:00 | -
at(2027-01-31T08:00:00) | UTC | 2027-01-31 08:00 | 2027-01-31 08:00 | - | -
at(2026-01-31T08:00:00) | UTC | 2026-11-24 13:00 | 2026-01-31 08:00 | - | -
at(2026-01-31T08:00:00) | Europe/Berlin | 2025-11-25 13:00 | - | 2026-01-31 08:00+0100 | -
at(2026-07-31T08:00:30) | America/New_York | 2025-11-25 13:00 | - | 2026-07-31 08:00:30-0400 | -
at(2028-02-29T00:00:00) | UTC | 2026-11-24 13:00 | - | 2028-02-29 00:00 | -
at(2024-10-27T02:30:00) | Europe/Berlin | 2024-10-01 00:00 | - | 2024-10-27 02:30+0200 | -
at(2199-12-31T23:59:59) | UTC | 2026-11-24 13:00 | - | 2199-12-31 23:59:59 | -
at(1970-01-02T00:00:00) | UTC | 2026-11-24 13:00 | 1970-01-02 00:00 | - | -
# rate: counts from its start, 2024-11-01 00:00 UTC here, and knows no clock
rate(1 minute) | UTC | 2026-11-24 13:00 | 2026-11-24 13:00 | 2026-11-24 13:01 | 2026-11-24 13:02
rate(5 minutes) | UTC | 2026-11-24 13:01 | 2026-11-24 13:00 | 2026-11-24 13:05 | 2026-11-24 13:10
rate(7 minutes) | UTC | 2024-11-01 00:00 | 2024-11-01 00:00 | 2024-11-01 00:07 | 2024-11-01 00:14
rate(90 minutes) | UTC | 2026-11-24 13:00 | 2026-11-24 12:00 | 2026-11-24 13:30 | 2026-11-24 15:00
rate(1 hour) | UTC | 2026-11-24 13:00 | 2026-11-24 13:00 | 2026-11-24 14:00 | 2026-11-24 15:00
rate(5 hours) | UTC | 2026-11-24 13:00 | 2026-11-24 13:00 | 2026-11-24 18:00 | 2026-11-24 23:00
rate(1 day) | Europe/Berlin | 2025-03-29 12:00 | 2025-03-29 01:00+0100 | 2025-03-30 01:00+0100 | 2025-03-31 02:00+0200
rate(7 days) | UTC | 2026-11-24 13:00 | 2026-11-20 00:00 | 2026-11-27 00:00 | 2026-12-04 00:00
rate(30 days) | UTC | 2026-11-24 13:00 | 2026-11-21 00:00 | 2026-12-21 00:00 | 2027-01-20 00:00
rate(5 minutes) | UTC | 2024-10-24 13:00 | - | 2024-11-01 00:00 | 2024-11-01 00:05
"""

# schedule | zone | what its error says after "SCHEDULE: "
ERRORS = """
# none of the three
every day at 8 | UTC | is none of at(…), rate(…) and cron(…): use one of them, as cron(0 8 * * ? *)
0 8 * * ? * | UTC | is none of at(…), rate(…) and cron(…): use one of them, as cron(0 8 * * ? *)
cron 0 8 * * ? * | UTC | is none of at(…), rate(…) and cron(…): use one of them, as cron(0 8 * * ? *)
CRON(0 8 * * ? *) | UTC | is none of at(…), rate(…) and cron(…): use one of them, as cron(0 8 * * ? *)
cron(0 8 * * ? *) at(2027-01-31T08:00:00) | UTC | day-of-month (field 4) is *: write ? here or in day-of-week, and a day in the other, as cron(0 8 * * ? *)
cron(0 8 * * ? * | UTC | is none of at(…), rate(…) and cron(…): use one of them, as cron(0 8 * * ? *)
 | UTC | is none of at(…), rate(…) and cron(…): use one of them, as cron(0 8 * * ? *)
# number of fields
cron() | UTC | has 0 fields: use six, minutes hours day-of-month month day-of-week year, as cron(0 8 * * ? *)
cron(0 8 * * *) | UTC | has 5 fields: use six, minutes hours day-of-month month day-of-week year, as cron(0 8 * * ? *)
cron(0 0 8 * * ? * *) | UTC | has 8 fields: use six, minutes hours day-of-month month day-of-week year, as cron(0 8 * * ? *)
# ranges of values
cron(60 8 * * ? *) | UTC | minutes (field 1) is 60: use 0 to 59, as cron(0 8 * * ? *)
cron(-1 8 * * ? *) | UTC | minutes (field 1) is -1: use 0 to 59, as cron(0 8 * * ? *)
cron(0 24 * * ? *) | UTC | hours (field 2) is 24: use 0 to 23, as cron(0 8 * * ? *)
cron(0 25 * * ? *) | UTC | hours (field 2) is 25: use 0 to 23, as cron(0 8 * * ? *)
cron(0 8,25 * * ? *) | UTC | hours (field 2) has 25: use 0 to 23, as cron(0 8 * * ? *)
cron(0 8-25 * * ? *) | UTC | hours (field 2) has 25: use 0 to 23, as cron(0 8 * * ? *)
cron(0 8 0 * ? *) | UTC | day-of-month (field 3) is 0: use 1 to 31, or alone ?, L, L-3, LW or 15W, as cron(0 8 1 * ? *)
cron(0 8 32 * ? *) | UTC | day-of-month (field 3) is 32: use 1 to 31, or alone ?, L, L-3, LW or 15W, as cron(0 8 1 * ? *)
cron(0 8 1 0 ? *) | UTC | month (field 4) is 0: use 1 to 12 or JAN to DEC, as cron(0 8 1 * ? *)
cron(0 8 1 13 ? *) | UTC | month (field 4) is 13: use 1 to 12 or JAN to DEC, as cron(0 8 1 * ? *)
cron(0 8 1 JANUARY ? *) | UTC | month (field 4) is JANUARY: use 1 to 12 or JAN to DEC, as cron(0 8 1 * ? *)
cron(0 8 ? * 0 *) | UTC | day-of-week (field 5) is 0: use 1 to 7 or SUN to SAT, or alone ?, L, 6L or FRI#2, as cron(0 8 ? * MON-FRI *)
cron(0 8 ? * 8 *) | UTC | day-of-week (field 5) is 8: use 1 to 7 or SUN to SAT, or alone ?, L, 6L or FRI#2, as cron(0 8 ? * MON-FRI *)
cron(0 8 ? * MONDAY *) | UTC | day-of-week (field 5) is MONDAY: use 1 to 7 or SUN to SAT, or alone ?, L, 6L or FRI#2, as cron(0 8 ? * MON-FRI *)
cron(0 8 ? * MON-FRY *) | UTC | day-of-week (field 5) has FRY: use 1 to 7 or SUN to SAT, or alone ?, L, 6L or FRI#2, as cron(0 8 ? * MON-FRI *)
cron(0 8 * * ? 1969) | UTC | year (field 6) is 1969: use 1970 to 2199, as cron(0 8 * * ? *)
cron(0 8 * * ? 2200) | UTC | year (field 6) is 2200: use 1970 to 2199, as cron(0 8 * * ? *)
cron(0 8 * * ? 27) | UTC | year (field 6) is 27: use 1970 to 2199, as cron(0 8 * * ? *)
cron(60 0 8 * * ? *) | UTC | seconds (field 1) is 60: use 0 to 59, as cron(0 0 8 * * ? *)
cron(0 0 24 * * ? *) | UTC | hours (field 3) is 24: use 0 to 23, as cron(0 0 8 * * ? *)
cron(0 0 8 32 * ? *) | UTC | day-of-month (field 4) is 32: use 1 to 31, or alone ?, L, L-3, LW or 15W, as cron(0 0 8 1 * ? *)
# what is no value
cron(x 8 * * ? *) | UTC | minutes (field 1) is x: use 0 to 59, as cron(0 8 * * ? *)
cron(0 8h * * ? *) | UTC | hours (field 2) is 8h: use 0 to 23, as cron(0 8 * * ? *)
cron(0 8:30 * * ? *) | UTC | hours (field 2) is 8:30: use 0 to 23, as cron(0 8 * * ? *)
cron(0 8, * * ? *) | UTC | hours (field 2) has an empty item: use 0 to 23, as cron(0 8 * * ? *)
cron(0 8 1,,15 * ? *) | UTC | day-of-month (field 3) has an empty item: use 1 to 31, or alone ?, L, L-3, LW or 15W, as cron(0 8 1 * ? *)
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
cron(0 8 ? * 15W *) | UTC | day-of-week (field 5) is 15W: use 1 to 7 or SUN to SAT, or alone ?, L, 6L or FRI#2, as cron(0 8 ? * MON-FRI *)
cron(0 8 MON * ? *) | UTC | day-of-month (field 3) is MON: use 1 to 31, or alone ?, L, L-3, LW or 15W, as cron(0 8 1 * ? *)
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
cron(* * * * * ? *) | UTC | seconds (field 1) is *: use one number, for no schedule is finer than a minute, as cron(0 * * * * ? *)
cron(0/30 * * * * ? *) | UTC | seconds (field 1) is 0/30: use one number, for no schedule is finer than a minute, as cron(0 * * * * ? *)
# years do not go around
cron(0 8 * * ? 2029-2027) | UTC | year (field 6) is 2029-2027: use a range that rises, as cron(0 8 * * ? 2027-2029)
# the two day fields
cron(0 8 * * * *) | UTC | day-of-month (field 3) is *: write ? here or in day-of-week, and a day in the other, as cron(0 8 * * ? *)
cron(0 16 * * MON-FRI *) | UTC | day-of-month (field 3) is *: write ? here or in day-of-week, and a day in the other, as cron(0 16 ? * MON-FRI *)
cron(0 8 1 * MON *) | UTC | day-of-month (field 3) is 1: write ? here or in day-of-week, and a day in the other, as cron(0 8 ? * MON *)
cron(0 8 15 * * *) | UTC | day-of-month (field 3) is 15: write ? here or in day-of-week, and a day in the other, as cron(0 8 * * ? *)
cron(0 8 ? * ? *) | UTC | day-of-month (field 3) is ?: write ? here or in day-of-week, and a day in the other, as cron(0 8 * * ? *)
# L, W and # alone
cron(0 8 1,L * ? *) | UTC | day-of-month (field 3) has L: use 1 to 31, or alone ?, L, L-3, LW or 15W, as cron(0 8 1 * ? *)
cron(0 8 L,15 * ? *) | UTC | day-of-month (field 3) has L: use 1 to 31, or alone ?, L, L-3, LW or 15W, as cron(0 8 1 * ? *)
cron(0 8 15W,20 * ? *) | UTC | day-of-month (field 3) has 15W: use 1 to 31, or alone ?, L, L-3, LW or 15W, as cron(0 8 1 * ? *)
cron(0 8 10-15W * ? *) | UTC | day-of-month (field 3) has 15W: use 1 to 31, or alone ?, L, L-3, LW or 15W, as cron(0 8 1 * ? *)
cron(0 8 0W * ? *) | UTC | day-of-month (field 3) is 0W: use 1W to 31W, as cron(0 8 15W * ? *)
cron(0 8 32W * ? *) | UTC | day-of-month (field 3) is 32W: use 1W to 31W, as cron(0 8 15W * ? *)
cron(0 8 W * ? *) | UTC | day-of-month (field 3) is W: use 1 to 31, or alone ?, L, L-3, LW or 15W, as cron(0 8 1 * ? *)
cron(0 8 L-31 * ? *) | UTC | day-of-month (field 3) is L-31: use L-1 to L-30, as cron(0 8 L-3 * ? *)
cron(0 8 L-3/2 * ? *) | UTC | day-of-month (field 3) has L: use 1 to 31, or alone ?, L, L-3, LW or 15W, as cron(0 8 1 * ? *)
cron(0 8 ? * 3#1,6#3 *) | UTC | day-of-week (field 5) has 3#1: use 1 to 7 or SUN to SAT, or alone ?, L, 6L or FRI#2, as cron(0 8 ? * MON-FRI *)
cron(0 8 ? * FRI#0 *) | UTC | day-of-week (field 5) is FRI#0: use #1 to #5, as cron(0 8 ? * FRI#2 *)
cron(0 8 ? * FRI#6 *) | UTC | day-of-week (field 5) is FRI#6: use #1 to #5, as cron(0 8 ? * FRI#2 *)
cron(0 8 ? * 8#1 *) | UTC | day-of-week (field 5) has 8: use 1 to 7 or SUN to SAT, or alone ?, L, 6L or FRI#2, as cron(0 8 ? * MON-FRI *)
cron(0 8 ? * #1 *) | UTC | day-of-week (field 5) is #1: use 1 to 7 or SUN to SAT, or alone ?, L, 6L or FRI#2, as cron(0 8 ? * MON-FRI *)
cron(0 8 ? * 6L,2 *) | UTC | day-of-week (field 5) has 6L: use 1 to 7 or SUN to SAT, or alone ?, L, 6L or FRI#2, as cron(0 8 ? * MON-FRI *)
cron(0 8 ? * 9L *) | UTC | day-of-week (field 5) has 9: use 1 to 7 or SUN to SAT, or alone ?, L, 6L or FRI#2, as cron(0 8 ? * MON-FRI *)
# never
cron(0 8 31 2 ? *) | UTC | day-of-month (field 3) is 31: no such day comes in these months and years, use a day that does, as cron(0 8 L 2 ? *)
cron(0 8 30,31 FEB ? *) | UTC | day-of-month (field 3) is 30,31: no such day comes in these months and years, use a day that does, as cron(0 8 L FEB ? *)
cron(0 8 31 4,6,9,11 ? *) | UTC | day-of-month (field 3) is 31: no such day comes in these months and years, use a day that does, as cron(0 8 L 4,6,9,11 ? *)
cron(0 8 29 2 ? 2027) | UTC | day-of-month (field 3) is 29: no such day comes in these months and years, use a day that does, as cron(0 8 L 2 ? 2027)
cron(0 8 29 2 ? 2100) | UTC | day-of-month (field 3) is 29: no such day comes in these months and years, use a day that does, as cron(0 8 L 2 ? 2100)
cron(0 8 ? 2 FRI#5 2027) | UTC | day-of-week (field 5) is FRI#5: no such day comes in these months and years, use a day that does, as cron(0 8 ? 2 6L 2027)
cron(0 8 L-30 2 ? *) | UTC | day-of-month (field 3) is L-30: no such day comes in these months and years, use a day that does, as cron(0 8 L 2 ? *)
cron(0 8 31W 2 ? *) | UTC | day-of-month (field 3) is 31W: no such day comes in these months and years, use a day that does, as cron(0 8 L 2 ? *)
cron(30 2 30 3 ? 2025) | Europe/Berlin | the clocks of Europe/Berlin skip this time: use another hour, as cron(0 8 * * ? *)
# several things wrong: the first is told, with an example that is right
cron(60 25 * * ? *) | UTC | minutes (field 1) is 60: use 0 to 59, as cron(0 8 * * ? *)
cron(0 25 * * * *) | UTC | hours (field 2) is 25: use 0 to 23, as cron(0 8 * * ? *)
# at
at() | UTC | nothing is no date and time: use yyyy-mm-ddThh:mm:ss without a zone, as at(2027-01-31T08:00:00)
at(2027-01-31) | UTC | 2027-01-31 is no date and time: use yyyy-mm-ddThh:mm:ss without a zone, as at(2027-01-31T08:00:00)
at(2027-01-31T08:00) | UTC | 2027-01-31T08:00 is no date and time: use yyyy-mm-ddThh:mm:ss without a zone, as at(2027-01-31T08:00:00)
at(2027-01-31T08:00:00Z) | UTC | 2027-01-31T08:00:00Z is no date and time: use yyyy-mm-ddThh:mm:ss without a zone, as at(2027-01-31T08:00:00)
at(2027-01-31T08:00:00+01:00) | UTC | 2027-01-31T08:00:00+01:00 is no date and time: use yyyy-mm-ddThh:mm:ss without a zone, as at(2027-01-31T08:00:00)
at(2027-01-31 08:00:00) | UTC | 2027-01-31 08:00:00 is no date and time: use yyyy-mm-ddThh:mm:ss without a zone, as at(2027-01-31T08:00:00)
at(31.01.2027 08:00) | UTC | 31.01.2027 08:00 is no date and time: use yyyy-mm-ddThh:mm:ss without a zone, as at(2027-01-31T08:00:00)
at(2027-02-29T08:00:00) | UTC | day is out of range for month: use a day and time that exist, as at(2027-01-31T08:00:00)
at(2027-04-31T08:00:00) | UTC | day is out of range for month: use a day and time that exist, as at(2027-01-31T08:00:00)
at(2027-13-01T08:00:00) | UTC | month must be in 1..12: use a day and time that exist, as at(2027-01-31T08:00:00)
at(2027-01-31T24:00:00) | UTC | hour must be in 0..23: use a day and time that exist, as at(2027-01-31T08:00:00)
at(2027-01-31T08:60:00) | UTC | minute must be in 0..59: use a day and time that exist, as at(2027-01-31T08:00:00)
at(2027-01-31T08:00:60) | UTC | second must be in 0..59: use a day and time that exist, as at(2027-01-31T08:00:00)
at(1969-12-31T23:59:59) | UTC | the year is 1969: use 1970 to 2199, as at(2027-01-31T08:00:00)
at(2200-01-01T00:00:00) | UTC | the year is 2200: use 1970 to 2199, as at(2027-01-31T08:00:00)
at(2025-03-30T02:30:00) | Europe/Berlin | the clocks of Europe/Berlin skip this time: use one that they show, as at(2025-03-30T03:30:00)
at(2025-03-09T02:00:00) | America/New_York | the clocks of America/New_York skip this time: use one that they show, as at(2025-03-09T03:00:00)
at(2011-12-30T12:00:00) | Pacific/Apia | the clocks of Pacific/Apia skip this time: use one that they show, as at(2011-12-31T12:00:00)
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
cron(0 8 * * ? *) | Europe/Berln | timezone 'Europe/Berln' is not in the IANA time zone database: use a name of it, as Europe/Berlin
cron(0 8 * * ? *) | europe/berlin | timezone 'europe/berlin' is not in the IANA time zone database: use a name of it, as Europe/Berlin
cron(0 8 * * ? *) | Berlin | timezone 'Berlin' is not in the IANA time zone database: use a name of it, as Europe/Berlin
cron(0 8 * * ? *) | CEST | timezone 'CEST' is not in the IANA time zone database: use a name of it, as EST
cron(0 8 * * ? *) | +01:00 | timezone '+01:00' is not in the IANA time zone database: use a name of it, as Europe/Berlin
cron(0 8 * * ? *) |  | timezone '' is not in the IANA time zone database: use a name of it, as Europe/Berlin
cron(0 8 * * ? *) | ../../etc/passwd | timezone '../../etc/passwd' is not in the IANA time zone database: use a name of it, as Europe/Berlin
cron(0 8 * * ? *) | localtime | timezone 'localtime' is not in the IANA time zone database: use a name of it, as Europe/Berlin
rate(5 minutes) | America/NewYork | timezone 'America/NewYork' is not in the IANA time zone database: use a name of it, as America/New_York
at(2027-01-31T08:00:00) | US/Eastren | timezone 'US/Eastren' is not in the IANA time zone database: use a name of it, as US/Eastern
"""


def rows(table: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.split(" | ")] for line in table.strip("\n").splitlines() if not line.startswith("# ")]


def shown(moment: float | None, zone: str) -> str:
    if moment is None:
        return "-"
    clock = datetime.fromtimestamp(moment, ZoneInfo(zone))
    return f"{clock:%Y-%m-%d %H:%M}" + (f":{clock:%S}" if clock.second else "") + ("" if zone == "UTC" else f"{clock:%z}")


def seen_from(time: str, zone: str) -> float:
    return datetime.fromisoformat(time).replace(tzinfo=ZoneInfo(zone)).timestamp()


@pytest.mark.parametrize(("text", "zone", "now", "last", "following", "then"), rows(MOMENTS))
def test_moments(text: str, zone: str, now: str, last: str, following: str, then: str) -> None:
    schedule, at = parse(text, zone), seen_from(now, zone)
    first = schedule.next(at, START)
    second = None if first is None else schedule.next(first, START)
    assert [shown(m, zone) for m in (schedule.last(at, -1, START), first, second)] == [last, following, then]


@pytest.mark.parametrize(("text", "zone", "now", "last", "following", "then"), [r for r in rows(MOMENTS) if re.fullmatch(r"cron\((\S+ ){5}\S+\)", r[0])])
def test_the_table_itself_agrees_with_the_clock(text: str, zone: str, now: str, last: str, following: str, then: str) -> None:
    at = seen_from(now, zone)
    year = datetime.fromtimestamp(at, UTC).year
    oracle = Oracle(text[5:-1], zone, date(year - 1, 1, 1), date(min(year + 2, 2199), 12, 31))
    near = {shown(oracle.until(at), zone): last, shown(oracle.after(at), zone): following}
    assert all(said == meant for said, meant in near.items() if said != "-")


@pytest.mark.parametrize(("text", "zone", "error"), rows(ERRORS))
def test_errors(text: str, zone: str, error: str) -> None:
    with pytest.raises(ScheduleError) as caught:
        parse(text, zone)
    assert str(caught.value) == (error if error.startswith("timezone") else f"{text}: {error}")


@pytest.mark.parametrize(("text", "zone", "error"), rows(ERRORS))
def test_the_example_in_an_error_is_right(text: str, zone: str, error: str) -> None:
    example = error.rpartition(", as ")[2]
    assert parse("rate(1 day)", example) if error.startswith("timezone") else parse(example, zone)


TEXTS = [(row[0], row[1]) for row in rows(MOMENTS)]
TIMES = st.floats(1_600_000_000, 2_100_000_000)


def all_moments(schedule: Schedule, after: float, count: int) -> list[float]:
    found: list[float] = []
    while len(found) < count and (moment := schedule.next(found[-1] if found else after, START)) is not None:
        found.append(moment)
    return found


@given(st.sampled_from(TEXTS), TIMES)
def test_next_and_last_are_two_views_of_one_line(said: tuple[str, str], now: float) -> None:
    schedule = parse(*said)
    moments = all_moments(schedule, now, 5)
    assert moments == sorted(set(moments)) and all(m > now and m == int(m) for m in moments)
    for before, moment in zip([now, *moments], moments, strict=False):
        assert schedule.last(moment, before, START) == moment  # `until` counts
        assert schedule.last(moment - 0.001, before, START) is None  # `after` does not, and nothing lies between
        assert schedule.next(moment - 0.001, START) == moment


@given(st.sampled_from(TEXTS), TIMES, st.floats(0, 400 * 86400))
def test_the_last_moment_is_within_the_window_and_is_the_last(said: tuple[str, str], now: float, back: float) -> None:
    schedule = parse(*said)
    moment = schedule.last(now, now - back, START)
    if moment is None:
        following = schedule.next(now - back, START)
        assert following is None or following > now
    else:
        assert now - back < moment <= now
        following = schedule.next(moment, START)
        assert following is None or following > now


@given(st.integers(1, 999_999), st.sampled_from([("minute", 60), ("hour", 3600), ("day", 86400)]), TIMES, TIMES)
def test_a_rate_counts_whole_periods_from_its_start(value: int, unit: tuple[str, int], start: float, now: float) -> None:
    schedule = parse(f"rate({value} {unit[0]}{'s' * (value > 1)})")
    assert schedule == Rate(value * unit[1])
    following, last = schedule.next(now, start), schedule.last(now, 0, start)
    assert following is not None and following > now and (following - int(start)) % (value * unit[1]) == 0
    assert following - value * unit[1] <= now or following == int(start)
    assert (last is None) == (now < int(start)) and (last is None or last == following - value * unit[1])


@given(st.text(alphabet="0123456789 */,-?LW#MONFRIJAN()catrone:T", max_size=40))
def test_any_text_is_read_or_refused_with_an_example_that_is_right(text: str) -> None:
    for whole in (text, f"cron({text})", f"cron(0 8 {text} * ? *)", f"at({text})", f"rate({text})"):
        try:
            parse(whole)
        except ScheduleError as error:
            assert parse(str(error).rpartition(", as ")[2])


@pytest.mark.parametrize("end", [-(10.0**15), -1.0, 0.0, 10.0**11, 10.0**15])
def test_times_beyond_all_calendars_are_asked_without_harm(end: float) -> None:
    schedule = parse("cron(0 8 * * ? *)")
    assert (schedule.next(end, START) is None) == (end > 0)
    assert (schedule.last(end, -(10.0**16), START) is None) == (end <= 0)


def test_while_an_hour_is_shown_again_all_of_it_has_been() -> None:
    """Berlin's clock shows 02:00 to 03:00 from 00:00 to 02:00 UTC: at 02:15 for the second time, 02:30 has come already."""
    schedule, again = parse("cron(0/30 2 * * ? *)", "Europe/Berlin"), datetime(2024, 10, 27, 1, 15, tzinfo=UTC).timestamp()
    assert shown(schedule.last(again, 0, START), "UTC") == "2024-10-27 00:30"
    assert shown(schedule.next(again, START), "UTC") == "2024-10-28 01:00"
    assert schedule.last(again, again - 45 * 60, START) is None


def test_blanks_around_and_between_do_not_matter() -> None:
    schedule = parse("  cron(  0   8 ? *\tMON-FRI *  ) ")
    assert isinstance(schedule, Recurring) and shown(schedule.next(START, START), "UTC") == "2024-11-01 08:00"
