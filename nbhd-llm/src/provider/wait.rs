//! How long a provider asks us to wait: every form that its headers take.

use std::time::Duration;

use chrono::DateTime;
use nbhd_core::clock::Timestamp;
use nbhd_core::http::HeaderMap;

/// The wait that the headers ask for: `retry-after-ms` before `retry-after`, which is whole or broken seconds or an HTTP
/// date. Negative, infinite and unreadable values say nothing.
pub fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = |name: &str| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .map(str::trim)
    };
    for name in ["retry-after-ms", "x-ms-retry-after-ms"] {
        if let Some(milliseconds) = text(name).and_then(|value| value.parse::<f64>().ok()) {
            return seconds(milliseconds / 1000.0);
        }
    }
    let value = text("retry-after")?;
    if let Ok(number) = value.parse::<f64>() {
        return seconds(number);
    }
    let until = DateTime::parse_from_rfc2822(value).ok()?;
    // The provider's own clock, where it says what it shows, is the one that its date is meant by.
    let from = text("date")
        .and_then(|date| DateTime::parse_from_rfc2822(date).ok())
        .map_or(now, |date| date.to_utc());
    (until.to_utc() - from).to_std().ok()
}

fn seconds(number: f64) -> Option<Duration> {
    if number < 0.0 {
        return None;
    }
    Duration::try_from_secs_f64(number).ok()
}

#[cfg(test)]
mod tests {
    use super::retry_after;
    use nbhd_core::clock::Timestamp;
    use nbhd_core::http::{HeaderMap, HeaderName, HeaderValue};
    use std::time::Duration;

    fn wait(headers: &[(&'static str, &'static str)]) -> Option<f64> {
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        let now: Timestamp = "2026-11-21T06:00:00Z".parse().unwrap();
        retry_after(&headers, now).map(|wait: Duration| wait.as_secs_f64())
    }

    #[test]
    fn every_form_is_read() {
        assert_eq!(wait(&[("retry-after", "7")]), Some(7.0));
        assert_eq!(wait(&[("retry-after", "0.25")]), Some(0.25));
        assert_eq!(
            wait(&[("retry-after-ms", "1500"), ("retry-after", "9")]),
            Some(1.5)
        );
        assert_eq!(
            wait(&[("retry-after", "Sat, 21 Nov 2026 06:00:30 GMT")]),
            Some(30.0)
        );
        let skewed = [
            ("retry-after", "Sat, 21 Nov 2026 07:00:30 GMT"),
            ("date", "Sat, 21 Nov 2026 07:00:00 GMT"),
        ];
        assert_eq!(wait(&skewed), Some(30.0));
    }

    #[test]
    fn what_makes_no_sense_says_nothing() {
        for value in ["", "-1", "inf", "NaN", "soon", "Sat, 21 Nov 2026 05:00:00 GMT"] {
            assert_eq!(wait(&[("retry-after", value)]), None, "{value}");
        }
        assert_eq!(wait(&[]), None);
    }
}
