//! Calendars that nobody here wrote, and instants of zones from another implementation.
#![allow(clippy::disallowed_methods, reason = "tests read files")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use chrono::{DateTime, NaiveDateTime, TimeZone, Utc};
use nbhd_core::Code;
use serde_json::Value;

use super::zone::Zone;
use super::{Calendar, Window};

fn fixtures() -> Option<PathBuf> {
    let found = nbhd_core::testkit::shared_fixtures();
    if found.is_none() {
        println!("skipped: shared fixtures are not here");
    }
    Some(found?.join("ical"))
}

fn now() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 11, 21, 7, 0, 0).unwrap()
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "ics") {
            found.push(path);
        }
    }
}

#[test]
fn every_calendar_loads_or_says_why_not() {
    let Some(fixtures) = fixtures() else { return };
    let mut paths = Vec::new();
    files(&fixtures, &mut paths);
    paths.sort();
    let (mut loaded, mut events, mut refused) = (0, 0, Vec::new());
    for path in &paths {
        let begun = Instant::now();
        match Calendar::load(path) {
            Ok(calendar) => {
                loaded += 1;
                let occurrences = calendar.occurrences(Window::default(), now());
                for occurrence in &occurrences {
                    let resource = calendar.occurrence_resource(occurrence, "me@example.com", &calendar.zone);
                    assert!(resource["start"].is_object(), "{}", path.display());
                }
                events += occurrences.len();
                if !calendar.report().skipped.is_empty() {
                    println!("{}: {:?}", path.display(), calendar.report());
                }
            }
            Err(error) => {
                assert_eq!(error.code(), Code::InvalidInput);
                assert!(!error.message().contains('\n'));
                println!("{error}");
                refused.push(path.file_name().unwrap().to_string_lossy().into_owned());
            }
        }
        let spent = begun.elapsed();
        if spent.as_millis() > 200 {
            println!("slow: {} {spent:?}", path.display());
        }
    }
    println!(
        "{loaded} of {} loaded, {events} occurrences; refused: {refused:?}",
        paths.len()
    );
    assert!(paths.len() > 150);
    // What is refused is bad by its own name, ends in the middle (a fuzzer's finds), or has rules of another calendar
    // system only (RFC 7529).
    assert_eq!(
        refused,
        [
            "big_bad_calendar.ics",
            "broken_dtstart.ics",
            "fuzz_testcase_0_char_in_component_name.ics",
            "fuzz_testcase_invalid_month.ics",
            "invalid_duration.ics",
            "issue_1081_invalid_rrule_freq.ics",
            "issue_1081_invalid_start_and_end.ics",
            "issue_1081_invalid_start_valid_end.ics",
            "pr_480_summary_with_colon.ics",
            "rfc_7529.ics",
            "small_bad_calendar.ics",
        ]
    );
}

#[test]
fn local_times_become_the_instants_that_zoneinfo_gives() {
    let Some(fixtures) = fixtures() else { return };
    let rows = fs::read_to_string(fixtures.join("tz_cases.jsonl")).unwrap();
    let (mut checked, mut different) = (0, Vec::new());
    for row in rows.lines() {
        let row: Value = serde_json::from_str(row).unwrap();
        if row["type"] != "local" {
            continue;
        }
        let zone = Zone::by_name(row["zone"].as_str().unwrap()).unwrap();
        let local: NaiveDateTime = row["local"].as_str().unwrap().parse().unwrap();
        let expected = match row["kind"].as_str().unwrap() {
            "gap" => row["shifted_forward_utc"].as_str().unwrap(),
            _ => row["utc"][0].as_str().unwrap(),
        };
        checked += 1;
        if zone.instant(local) != expected.parse::<DateTime<Utc>>().unwrap() {
            different.push(row["zone"].as_str().unwrap().to_owned());
        }
    }
    println!("{checked} checked, different: {different:?}");
    assert!(checked > 100);
    // chrono-tz carries tzdata 2025b, the cases 2026f: Morocco moved its 2026 changes in between.
    assert!(
        different.iter().all(|zone| zone == "Africa/Casablanca"),
        "{different:?}"
    );
}

#[test]
fn what_is_no_calendar_gets_one_sentence() {
    for (text, words) in [
        ("", "holds no BEGIN:VCALENDAR"),
        ("hello\nworld\n", "holds no BEGIN:VCALENDAR"),
        ("BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:1\r\n", "has no END"),
    ] {
        let error = Calendar::from_text(text).unwrap_err();
        assert_eq!(error.code(), Code::InvalidInput);
        assert!(error.message().contains(words), "{error}");
    }
    let error = Calendar::load(std::env::temp_dir()).unwrap_err();
    assert!(error.message().contains("it is a folder"), "{error}");
    assert!(
        Calendar::from_text("BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n")
            .unwrap()
            .is_empty()
    );
}

fn starts(text: &str, from: &str, to: &str) -> Vec<String> {
    let calendar = Calendar::from_text(&format!("BEGIN:VCALENDAR\r\n{text}END:VCALENDAR\r\n")).unwrap();
    let window = Window {
        from: Some(from.parse().unwrap()),
        to: Some(to.parse().unwrap()),
    };
    calendar
        .occurrences(window, now())
        .iter()
        .map(|occurrence| {
            let resource = calendar.occurrence_resource(occurrence, "me@example.com", &calendar.zone);
            let start = &resource["start"];
            let start = start["dateTime"].as_str().or(start["date"].as_str()).unwrap();
            format!("{start} {}", resource["summary"].as_str().unwrap_or("-"))
        })
        .collect()
}

#[test]
fn a_series_keeps_its_hour_across_the_change_of_offset() {
    let found = starts(
        "BEGIN:VEVENT\r\nUID:1\r\nSUMMARY:stand-up\r\nDTSTART;TZID=W. Europe Standard Time:20260323T090000\r\nDTEND;TZID=W. Europe Standard Time:20260323T091500\r\nRRULE:FREQ=WEEKLY;UNTIL=20260420T070000Z\r\nEXDATE;TZID=W. Europe Standard Time:20260406T090000\r\nEND:VEVENT\r\n\
         BEGIN:VEVENT\r\nUID:1\r\nSUMMARY:moved\r\nRECURRENCE-ID;TZID=W. Europe Standard Time:20260413T090000\r\nDTSTART;TZID=W. Europe Standard Time:20260414T110000\r\nDTEND;TZID=W. Europe Standard Time:20260414T111500\r\nEND:VEVENT\r\n",
        "2026-03-01T00:00:00Z",
        "2026-06-01T00:00:00Z",
    );
    assert_eq!(
        found,
        [
            "2026-03-23T09:00:00+01:00 stand-up",
            "2026-03-30T09:00:00+02:00 stand-up",
            "2026-04-14T11:00:00+02:00 moved",
            "2026-04-20T09:00:00+02:00 stand-up",
        ]
    );
}

#[test]
fn a_window_is_exclusive_as_the_discovery_document_says() {
    let event =
        "BEGIN:VEVENT\r\nUID:1\r\nDTSTART:20260323T090000Z\r\nDTEND:20260323T100000Z\r\nEND:VEVENT\r\n";
    // timeMin bounds the end, timeMax the start, both exclusive.
    for (from, to, inside) in [
        ("2026-03-23T09:59:59Z", "2026-03-24T00:00:00Z", true),
        ("2026-03-23T10:00:00Z", "2026-03-24T00:00:00Z", false),
        ("2026-03-22T00:00:00Z", "2026-03-23T09:00:00Z", false),
        ("2026-03-22T00:00:00Z", "2026-03-23T09:00:01Z", true),
    ] {
        assert_eq!(!starts(event, from, to).is_empty(), inside, "{from} {to}");
    }
}

#[test]
fn a_zone_that_only_the_file_knows_is_computed() {
    let found = starts(
        "BEGIN:VTIMEZONE\r\nTZID:Office\r\nBEGIN:STANDARD\r\nDTSTART:19701025T030000\r\nRRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10\r\nTZOFFSETFROM:+0200\r\nTZOFFSETTO:+0100\r\nEND:STANDARD\r\nBEGIN:DAYLIGHT\r\nDTSTART:19700329T020000\r\nRRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3\r\nTZOFFSETFROM:+0100\r\nTZOFFSETTO:+0200\r\nEND:DAYLIGHT\r\nEND:VTIMEZONE\r\n\
         BEGIN:VEVENT\r\nUID:1\r\nDTSTART;TZID=Office:20260115T090000\r\nDURATION:PT1H\r\nEND:VEVENT\r\n\
         BEGIN:VEVENT\r\nUID:2\r\nDTSTART;TZID=Office:20260715T090000\r\nDURATION:PT1H\r\nEND:VEVENT\r\n",
        "2026-01-01T00:00:00Z",
        "2027-01-01T00:00:00Z",
    );
    assert_eq!(found, ["2026-01-15T08:00:00Z -", "2026-07-15T07:00:00Z -"]);
}

#[test]
fn a_rule_that_never_ends_or_never_matches_is_bounded() {
    let begun = Instant::now();
    for rule in [
        "FREQ=SECONDLY",
        "FREQ=MINUTELY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=DAILY;BYSETPOS=366;BYHOUR=1",
        "FREQ=DAILY;COUNT=4294967295",
    ] {
        let text = format!(
            "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTART:19000101T000000Z\r\nRRULE:{rule}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
        );
        if let Ok(calendar) = Calendar::from_text(&text) {
            let found = calendar.occurrences(Window::default(), now()).len();
            assert!(found <= super::OCCURRENCES_LIMIT + 1, "{rule}: {found}");
        }
        println!("{rule}: {:?}", begun.elapsed());
    }
}

#[test]
fn a_shift_keeps_the_time_of_day() {
    let calendar = Calendar::from_text(
        "BEGIN:VCALENDAR\r\nX-WR-TIMEZONE:Europe/Berlin\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTART;TZID=Europe/Berlin:20260706T093000\r\nDTEND;TZID=Europe/Berlin:20260706T100000\r\nRRULE:FREQ=DAILY;UNTIL=20260708T220000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n",
    )
    .unwrap()
    .with_time_shift("2026-11-21".parse().unwrap());
    let found: Vec<String> = calendar
        .occurrences(Window::default(), now())
        .iter()
        .map(|occurrence| occurrence.from.to_rfc3339())
        .collect();
    assert_eq!(
        found,
        [
            "2026-11-21T08:30:00+00:00",
            "2026-11-22T08:30:00+00:00",
            "2026-11-23T08:30:00+00:00"
        ]
    );
}
