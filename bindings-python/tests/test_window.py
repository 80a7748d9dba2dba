"""Windows against CPython's zoneinfo: every zone, every change of its clock from 2024 to 2028, every form of window.

The rules have to be the same on both sides, so `tzdata` is pinned to the release that is compiled in: 2025.2 is IANA 2025b.
"""

import importlib.metadata
import zoneinfo
from datetime import date, datetime, timedelta, timezone

import nbhd
import pytest

UTC = timezone.utc
DAY = timedelta(days=1)
FIRST, LAST = datetime(2024, 1, 1, tzinfo=UTC), datetime(2029, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module", autouse=True)
def packaged_rules():
    """The rules of the package, not those of the machine."""
    before = zoneinfo.TZPATH
    zoneinfo.reset_tzpath(to=[])
    zoneinfo.ZoneInfo.clear_cache()
    yield
    zoneinfo.reset_tzpath(to=before)
    zoneinfo.ZoneInfo.clear_cache()


def changes(zone):
    """Every instant from 2024 to 2028 from which another offset holds."""
    found, at = [], FIRST
    while at < LAST:
        if at.astimezone(zone).utcoffset() != (at + DAY).astimezone(zone).utcoffset():
            found.append(change(zone, at, at + DAY))
        at += DAY
    return found


def change(zone, before, after):
    offset = before.astimezone(zone).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = before + timedelta(seconds=(after - before).total_seconds() // 2)
        if middle.astimezone(zone).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return after


def instants(local, zone):
    """The instants at which the clocks of the zone show this time: none, one or two."""
    shown = {local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)}
    return sorted(at for at in shown if at.astimezone(zone).replace(tzinfo=None) == local)


def gap(local, zone):
    """The first instant after the gap that this time lies in."""
    one, other = sorted(local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    return change(zone, one, other)


def bounds(first, last, zone):
    midnight = datetime(first.year, first.month, first.day)
    end = datetime(last.year, last.month, last.day, 23, 59, 59)
    begins = instants(midnight, zone)[:1] or [gap(midnight, zone)]
    ends = instants(end, zone)[-1:] or [gap(end, zone) - timedelta(seconds=1)]
    return begins[0].astimezone(zone), ends[0].astimezone(zone)


def months(day, count):
    year, month = divmod(day.year * 12 + day.month - 1 + count, 12)
    for last in (day.day, 30, 29, 28):
        try:
            return date(year, month + 1, min(day.day, last))
        except ValueError:
            continue


def windows(today):
    """Each form of window, and the days that it means."""
    monday, month = today - today.weekday() * DAY, today.replace(day=1)
    yield "today", (today, today)
    yield "yesterday", (today - DAY, today - DAY)
    yield "tomorrow", (today + DAY, today + DAY)
    yield "this_week", (monday, monday + 6 * DAY)
    yield "last_week", (monday - 7 * DAY, monday - DAY)
    yield "month_to_date", (month, today)
    yield "last_month", ((month - DAY).replace(day=1), month - DAY)
    yield "year_to_date", (today.replace(month=1, day=1), today)
    yield "last_year", (date(today.year - 1, 1, 1), date(today.year - 1, 12, 31))
    yield "last_7_days", (today - 6 * DAY, today)
    yield "next_30_days", (today, today + 29 * DAY)
    yield "last_2_weeks", (today - 13 * DAY, today)
    yield "next_1_weeks", (today, today + 6 * DAY)
    yield "last_3_months", (months(today, -3), today)
    yield "next_1_months", (today, months(today, 1))
    yield f"since:{today - 90 * DAY}", (today - 90 * DAY, today)
    yield f"between:{today - DAY},{today + DAY}", (today - DAY, today + DAY)


def test_the_same_rules_on_both_sides():
    assert importlib.metadata.version("tzdata") == "2025.2"
    assert nbhd.time_zone_version() == "2025b"


def test_every_zone_and_every_change(capfd):
    # `Factory` is what a machine is shipped with: a zone that nobody lives in, and the only name that is not known.
    names = sorted(zoneinfo.available_timezones() - {"Factory"})
    compared = moved = gaps = 0
    for name in names:
        zone = zoneinfo.ZoneInfo(name)
        found = changes(zone)
        moved += len(found)
        # Zones that never change are looked at once.
        days = {at.astimezone(zone).date() + side * DAY for at in found for side in (-1, 0, 1)} or {date(2026, 11, 21)}
        for today in sorted(days):
            now = datetime(today.year, today.month, today.day, 12, tzinfo=zone).astimezone(UTC)
            gaps += not instants(datetime(today.year, today.month, today.day), zone)
            for window, (first, last) in windows(today):
                span = nbhd.resolve_window(window, time_zone=name, now=now)
                start, end = bounds(first, last, zone)
                for told, expected in ((span["start"], start), (span["end"], end)):
                    told = datetime.fromisoformat(told.replace("Z", "+00:00"))
                    # As UTC: Python calls a time that is there twice unequal to that of any other zone.
                    one, other = told.astimezone(UTC), expected.astimezone(UTC)
                    assert (one, told.utcoffset()) == (other, expected.utcoffset()), (name, window, now)
                compared += 1
    with capfd.disabled():
        print(f"\nwindows {compared}: {len(names)} zones, {moved} changes, {gaps} days without midnight")
    assert len(names) > 500 and moved > 1_000 and gaps > 20
