//! Time and sleep as things that are given, so that tests neither wait nor depend on the wall clock.

use std::fmt::Debug;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use chrono::{DateTime, SecondsFormat, SubsecRound, TimeZone, Utc};

/// A point in time, UTC.
pub type Timestamp = DateTime<Utc>;

/// A time as everything that leaves the library writes it (RFC 3339): `Z` for UTC, the offset where a zone has one, and a
/// fraction only where it is not zero. Fields that hold a [`Timestamp`] are serialised the same.
pub fn rfc3339<Zone: TimeZone>(at: DateTime<Zone>) -> String {
    let at = at.fixed_offset();
    at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

/// What tells the time and waits. The store's own clock, not this one, decides leases and expiry.
#[async_trait]
pub trait Clock: Send + Sync + Debug {
    /// The wall clock.
    fn now(&self) -> Timestamp;

    /// Time since some fixed point; never goes back.
    fn monotonic(&self) -> Duration;

    /// Waits.
    async fn sleep(&self, duration: Duration);
}

/// The machine's clock.
#[derive(Debug)]
pub struct SystemClock {
    origin: Instant,
}

impl Default for SystemClock {
    fn default() -> Self {
        Self {
            origin: Instant::now(),
        }
    }
}

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        // Microseconds: what every store keeps and every language reads.
        Utc::now().trunc_subsecs(6)
    }

    fn monotonic(&self) -> Duration {
        self.origin.elapsed()
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

/// A clock that stands still until it is moved; a sleep moves it and returns at once.
#[derive(Debug)]
pub struct FakeClock {
    start: Timestamp,
    elapsed: Mutex<Duration>,
}

impl FakeClock {
    /// A clock that shows `start`.
    pub fn at(start: Timestamp) -> Self {
        Self {
            start,
            elapsed: Mutex::new(Duration::ZERO),
        }
    }

    /// Moves the clock ahead.
    pub fn advance(&self, duration: Duration) {
        let mut elapsed = self
            .elapsed
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        *elapsed += duration;
    }
}

#[async_trait]
impl Clock for FakeClock {
    fn now(&self) -> Timestamp {
        let passed = chrono::Duration::from_std(self.monotonic()).unwrap_or(chrono::Duration::MAX);
        (self.start + passed).trunc_subsecs(6)
    }

    fn monotonic(&self) -> Duration {
        *self
            .elapsed
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    async fn sleep(&self, duration: Duration) {
        self.advance(duration);
        tokio::task::yield_now().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_one_spelling() {
        for text in [
            "2026-11-21T08:00:00Z",
            "2026-11-21T08:00:00.250Z",
            "2026-11-21T08:00:00.000001Z",
            "2026-11-21T09:00:00+01:00",
            "2026-11-21T09:00:00.500+01:00",
        ] {
            let at = DateTime::parse_from_rfc3339(text).expect("a time");
            assert_eq!(rfc3339(at), text);
            assert_eq!(serde_json::to_value(at).expect("plain data"), text);
            let utc = at.to_utc();
            assert_eq!(serde_json::to_value(utc).expect("plain data"), rfc3339(utc));
            assert!(rfc3339(utc).ends_with('Z'), "{}", rfc3339(utc));
        }
        let zero = DateTime::parse_from_rfc3339("2026-11-21T08:00:00.000000+00:00").expect("a time");
        assert_eq!(rfc3339(zero), "2026-11-21T08:00:00Z");
    }

    #[test]
    fn the_machines_clock_tells_microseconds() {
        let clock = SystemClock::default();
        for _ in 0..100 {
            assert_eq!(clock.now().timestamp_subsec_nanos() % 1_000, 0);
        }
    }
}
