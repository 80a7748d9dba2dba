//! The days and offsets are those of the IANA database (`zdump -v`); every change of 2024 to 2028 is compared with another
//! implementation in the tests of the Python binding.

use super::{Window, resolve, zone};
use crate::Code;

fn ends(window: &str, now: &str, zone_name: &str) -> (String, String) {
    let span = resolve(window, None, now.parse().unwrap(), zone_name).unwrap();
    (span.start.to_rfc3339(), span.end.to_rfc3339())
}

#[test]
fn each_end_has_its_own_offset_and_midnight_may_be_missing() {
    // The days and offsets are those of the IANA database (`zdump -v`).
    let cases = [
        // Berlin goes back on 2026-10-25: a day of 25 hours.
        (
            "today",
            "2026-10-25T10:00:00Z",
            "Europe/Berlin",
            "2026-10-25T00:00:00+02:00",
            "2026-10-25T23:59:59+01:00",
        ),
        (
            "today",
            "2026-03-29T10:00:00Z",
            "Europe/Berlin",
            "2026-03-29T00:00:00+01:00",
            "2026-03-29T23:59:59+02:00",
        ),
        // Havana goes forward at midnight of 2026-03-08: the day begins at 01:00.
        (
            "today",
            "2026-03-08T12:00:00Z",
            "America/Havana",
            "2026-03-08T01:00:00-04:00",
            "2026-03-08T23:59:59-04:00",
        ),
        // The day is that of the zone, not of UTC.
        (
            "today",
            "2026-06-30T23:30:00Z",
            "Asia/Tokyo",
            "2026-07-01T00:00:00+09:00",
            "2026-07-01T23:59:59+09:00",
        ),
        (
            "tomorrow",
            "2026-12-31T12:00:00Z",
            "UTC",
            "2027-01-01T00:00:00+00:00",
            "2027-01-01T23:59:59+00:00",
        ),
        (
            "this_week",
            "2026-11-22T12:00:00Z",
            "UTC",
            "2026-11-16T00:00:00+00:00",
            "2026-11-22T23:59:59+00:00",
        ),
        (
            "last_month",
            "2024-03-31T12:00:00Z",
            "UTC",
            "2024-02-01T00:00:00+00:00",
            "2024-02-29T23:59:59+00:00",
        ),
        (
            "next_7_days",
            "2026-11-21T12:00:00Z",
            "UTC",
            "2026-11-21T00:00:00+00:00",
            "2026-11-27T23:59:59+00:00",
        ),
        // 24 hours pass, whatever the clocks say.
        (
            "next_24h",
            "2026-10-24T22:00:00Z",
            "Europe/Berlin",
            "2026-10-25T00:00:00+02:00",
            "2026-10-25T23:00:00+01:00",
        ),
    ];
    for (window, now, zone, start, end) in cases {
        assert_eq!(
            ends(window, now, zone),
            (start.to_owned(), end.to_owned()),
            "{window} {zone}"
        );
    }
}

/// Samoa had no 2011-12-30: `zdump -v Pacific/Apia` goes from -10:00 to +14:00 at the end of the 29th.
#[test]
fn a_day_that_the_zone_skipped_is_no_day() {
    let apia = |window, now| ends(window, now, "Pacific/Apia");
    let pair = |start: &str, end: &str| (start.to_owned(), end.to_owned());
    let (before, after) = ("2011-12-29T12:00:00Z", "2011-12-31T12:00:00Z");
    let last = pair("2011-12-31T00:00:00+14:00", "2011-12-31T23:59:59+14:00");
    assert_eq!(apia("tomorrow", before), last);
    assert_eq!(
        apia("yesterday", "2011-12-31T00:00:00Z"),
        pair("2011-12-29T00:00:00-10:00", "2011-12-29T23:59:59-10:00")
    );
    // What begins or ends on it begins after and ends before.
    assert_eq!(
        apia("between:2011-12-30,2011-12-31", before),
        pair("2011-12-31T00:00:00+14:00", "2011-12-31T23:59:59+14:00")
    );
    assert_eq!(
        apia("between:2011-12-29,2011-12-30", after),
        pair("2011-12-29T00:00:00-10:00", "2011-12-29T23:59:59-10:00")
    );
    let nothing = resolve(
        "between:2011-12-30,2011-12-30",
        None,
        after.parse().unwrap(),
        "Pacific/Apia",
    );
    assert_eq!(nothing.unwrap_err().code(), Code::InvalidInput);
    // Kwajalein had no 1993-08-21.
    assert_eq!(
        ends("since:1993-08-21", "1993-08-22T12:00:00Z", "Pacific/Kwajalein"),
        pair("1993-08-22T00:00:00+12:00", "1993-08-23T23:59:59+12:00")
    );
}

#[test]
fn gaps_at_either_end_of_a_day_and_midnights_that_are_there_twice() {
    let cases = [
        // Cairo and Santiago go forward at midnight; Santiago back at midnight, which makes 23 o'clock twice.
        (
            "2026-04-24T12:00:00Z",
            "Africa/Cairo",
            "2026-04-24T01:00:00+03:00",
            "2026-04-24T23:59:59+03:00",
        ),
        (
            "2026-09-06T12:00:00Z",
            "America/Santiago",
            "2026-09-06T01:00:00-03:00",
            "2026-09-06T23:59:59-03:00",
        ),
        (
            "2026-04-04T12:00:00Z",
            "America/Santiago",
            "2026-04-04T00:00:00-03:00",
            "2026-04-04T23:59:59-04:00",
        ),
        // Havana goes back at 01:00 to midnight: the earlier one begins the day.
        (
            "2026-11-01T12:00:00Z",
            "America/Havana",
            "2026-11-01T00:00:00-04:00",
            "2026-11-01T23:59:59-05:00",
        ),
        // St John's went back at 00:01 of the 7th to 23:01 of the 6th: the 6th ends with its second 23:59:59.
        (
            "2010-11-06T12:00:00Z",
            "America/St_Johns",
            "2010-11-06T00:00:00-02:30",
            "2010-11-06T23:59:59-03:30",
        ),
        // Troll goes forward by two hours, Lord Howe by half of one.
        (
            "2026-03-29T12:00:00Z",
            "Antarctica/Troll",
            "2026-03-29T00:00:00+00:00",
            "2026-03-29T23:59:59+02:00",
        ),
        (
            "2026-10-03T20:00:00Z",
            "Australia/Lord_Howe",
            "2026-10-04T00:00:00+10:30",
            "2026-10-04T23:59:59+11:00",
        ),
        // Monrovia was 44:30 behind: the instant is right, the offset a whole minute.
        (
            "1970-06-01T12:00:00Z",
            "Africa/Monrovia",
            "1970-05-31T23:59:30-00:45",
            "1970-06-01T23:59:29-00:45",
        ),
    ];
    for (now, zone, start, end) in cases {
        assert_eq!(
            ends("today", now, zone),
            (start.to_owned(), end.to_owned()),
            "{now} {zone}"
        );
    }
}

#[test]
fn weeks_and_months_and_days_of_ones_own() {
    let cases = [
        ("last_1_weeks", "2026-11-15", "2026-11-21"),
        ("next_2_weeks", "2026-11-21", "2026-12-04"),
        ("last_1_months", "2026-10-21", "2026-11-21"),
        ("next_24_months", "2026-11-21", "2028-11-21"),
        ("since:2026-01-31", "2026-01-31", "2026-11-21"),
        ("since:2026-11-21", "2026-11-21", "2026-11-21"),
        ("between:2024-02-29,2027-01-01", "2024-02-29", "2027-01-01"),
        ("last_year", "2025-01-01", "2025-12-31"),
        ("last_730_days", "2024-11-22", "2026-11-21"),
    ];
    for (window, first, last) in cases {
        let expected = (
            format!("{first}T00:00:00+00:00"),
            format!("{last}T23:59:59+00:00"),
        );
        assert_eq!(ends(window, "2026-11-21T12:00:00Z", "UTC"), expected, "{window}");
    }
    // The day of the month is clamped.
    let short = ends("last_1_months", "2026-03-31T12:00:00Z", "UTC").0;
    assert_eq!(short, "2026-02-28T00:00:00+00:00");
    let future = resolve(
        "since:2026-11-22",
        None,
        "2026-11-21T12:00:00Z".parse().unwrap(),
        "UTC",
    );
    assert_eq!(future.unwrap_err().code(), Code::InvalidInput);
}

#[test]
fn kinds_and_values() {
    let kind = |kind, value| Window::from_kind(kind, value).map(|window| window.to_string());
    let table = [
        (("today", None), "today"),
        (("today", Some("ignored")), "today"),
        (("last_n_days", None), "last_7_days"),
        (("next_n_days", Some("30")), "next_30_days"),
        (("last_n_weeks", None), "last_1_weeks"),
        (("last_n_months", Some(" 24 ")), "last_24_months"),
        (("since", Some("2026-01-01")), "since:2026-01-01"),
        (
            ("between", Some("2026-01-01, 2026-01-31")),
            "between:2026-01-01,2026-01-31",
        ),
    ];
    for ((name, value), text) in table {
        assert_eq!(kind(name, value).unwrap(), text);
    }
    let refused = [
        ("someday", None),
        ("last_7_days", Some("7")),
        ("last_n_days", Some("0")),
        ("last_n_days", Some("731")),
        ("last_n_weeks", Some("105")),
        ("last_n_months", Some("25")),
        ("last_n_days", Some("seven")),
        ("since", None),
        ("since", Some("2026-13-01")),
        ("between", Some("2026-01-31,2026-01-01")),
        ("between", Some("2026-01-01")),
    ];
    for (name, value) in refused {
        assert_eq!(
            kind(name, value).unwrap_err().code(),
            Code::InvalidInput,
            "{name} {value:?}"
        );
    }
}

#[test]
fn text_and_back_and_refusals() {
    for text in [
        "today",
        "next_24h",
        "last_30_days",
        "next_1_days",
        "year_to_date",
        "last_104_weeks",
        "next_24_months",
        "since:2026-01-01",
        "between:2026-01-01,2026-02-01",
    ] {
        assert_eq!(text.parse::<Window>().unwrap().to_string(), text);
    }
    for text in [
        "",
        "last_0_days",
        "next_731_days",
        "last_x_days",
        "Today",
        "next_99999_days",
        "last_+7_days",
        "last_07_days",
        "last_7_days_",
        "last_105_weeks",
        "next_25_months",
        "last_1_years",
        "since:",
        "since:2026-1-1",
        "since:2026-02-30",
        "between:2026-01-01",
        "between:2026-02-01,2026-01-01",
        "between:2026-01-01,2026-01-02,2026-01-03",
    ] {
        assert_eq!(
            text.parse::<Window>().unwrap_err().code(),
            Code::InvalidInput,
            "{text}"
        );
    }
    for window in [
        Window::LastDays(0),
        Window::NextDays(731),
        Window::LastWeeks(105),
        Window::NextMonths(0),
    ] {
        let answer = window.resolve("2026-11-21T12:00:00Z".parse().unwrap(), chrono_tz::UTC);
        assert_eq!(answer.unwrap_err().code(), Code::InvalidInput, "{window}");
    }
    assert_eq!(zone("Mars/Olympus").unwrap_err().code(), Code::InvalidInput);
}
