//! When the other side wants us back, in every form met in the wild.
//!
//! `Retry-After` in seconds (whole or with a fraction) or as an HTTP date in its three forms (RFC 9110, 5.6.7 and 10.2.3), and
//! `retry-after-ms`. What stands in a body (a retry info, a parameter) is the provider's [`Classify`](super::Classify) to read.

use std::time::Duration;

use chrono::{DateTime, Datelike, NaiveDateTime, Utc};

use crate::Timestamp;
use crate::http::{HeaderMap, header};

/// Nobody means a wait of more than a year; a number that large is a mistake.
const LONGEST: f64 = 366.0 * 86_400.0;

/// What the headers ask for. A date is taken against the reply's own `Date`, so that a wrong clock here does no harm.
pub fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(milliseconds) = text("retry-after-ms").and_then(|text| text.trim().parse::<f64>().ok())
        && let Some(wait) = seconds(milliseconds / 1000.0)
    {
        return Some(wait);
    }
    let their_now = text(header::DATE.as_str())
        .and_then(|text| http_date(text.trim(), now))
        .unwrap_or(now);
    parse_retry_after(text(header::RETRY_AFTER.as_str())?, their_now)
}

/// Reads one value: seconds, an HTTP date, or an ISO 8601 time with its offset. A time that has passed is no wait.
pub fn parse_retry_after(text: &str, now: Timestamp) -> Option<Duration> {
    let text = text.trim();
    if let Ok(number) = text.trim_end_matches('s').parse::<f64>() {
        return seconds(number);
    }
    let at = http_date(text, now).or_else(|| {
        DateTime::parse_from_rfc3339(text)
            .ok()
            .map(|at| at.with_timezone(&Utc))
    })?;
    Some((at - now).to_std().unwrap_or(Duration::ZERO))
}

fn seconds(number: f64) -> Option<Duration> {
    (0.0..=LONGEST)
        .contains(&number)
        .then(|| Duration::from_secs_f64(number))
}

fn http_date(text: &str, now: Timestamp) -> Option<Timestamp> {
    if let Ok(at) = DateTime::parse_from_rfc2822(text) {
        return Some(at.with_timezone(&Utc)); // Sun, 06 Nov 1994 08:49:37 GMT
    }
    if let Ok(at) = NaiveDateTime::parse_from_str(text, "%a %b %e %H:%M:%S %Y") {
        return Some(at.and_utc()); // Sun Nov  6 08:49:37 1994
    }
    // Sunday, 06-Nov-94 08:49:37 GMT: two digits of a year that is at most 50 years ahead (RFC 9110, 5.6.7).
    let at = NaiveDateTime::parse_from_str(text, "%A, %d-%b-%y %H:%M:%S GMT").ok()?;
    let year = now.year() - now.year().rem_euclid(100) + at.year().rem_euclid(100);
    let year = if year > now.year() + 50 { year - 100 } else { year };
    Some(at.with_year(year)?.and_utc())
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;

    use super::*;

    fn now() -> Timestamp {
        Utc.with_ymd_and_hms(2026, 11, 21, 8, 0, 0)
            .single()
            .expect("a time")
    }

    #[test]
    fn every_form_of_a_value() {
        let table = [
            ("0", Some(0.0)),
            ("3", Some(3.0)),
            ("3s", Some(3.0)),
            (" 1.5 ", Some(1.5)),
            ("Sat, 21 Nov 2026 08:00:30 GMT", Some(30.0)),
            ("Saturday, 21-Nov-26 08:00:30 GMT", Some(30.0)),
            ("Sat Nov 21 08:00:30 2026", Some(30.0)),
            ("2026-11-21T08:00:01.500Z", Some(1.5)),
            ("2026-11-21T09:00:02+01:00", Some(2.0)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(0.0)),
            ("-1", None),
            ("NaN", None),
            ("inf", None),
            ("1e300", None),
            ("soon", None),
            ("", None),
        ];
        for (text, expected) in table {
            let read = parse_retry_after(text, now()).map(|wait| wait.as_secs_f64());
            assert_eq!(read, expected, "{text:?}");
        }
    }

    #[test]
    fn milliseconds_come_first_and_dates_count_by_the_other_clock() {
        let headers = |pairs: &[(&'static str, &'static str)]| {
            pairs
                .iter()
                .map(|(name, value)| ((*name).parse().expect("a name"), value.parse().expect("a value")))
                .collect::<HeaderMap>()
        };
        let read = |pairs| retry_after(&headers(pairs), now()).map(|wait| wait.as_secs_f64());
        assert_eq!(
            read(&[("retry-after-ms", "250"), ("retry-after", "9")]),
            Some(0.25)
        );
        assert_eq!(read(&[("retry-after-ms", "x"), ("retry-after", "9")]), Some(9.0));
        let skewed = [
            ("date", "Sat, 21 Nov 2026 03:00:00 GMT"),
            ("retry-after", "Sat, 21 Nov 2026 03:00:20 GMT"),
        ];
        assert_eq!(read(&skewed), Some(20.0));
        assert_eq!(read(&[]), None);
    }
}
