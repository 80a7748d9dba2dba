//! Time and sleep as things that are given, so that tests neither wait nor depend on the wall clock.

use std::fmt::Debug;
use std::sync::{Mutex, MutexGuard, PoisonError};
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

    /// The same on a clock that also goes on while the machine is suspended: what leases are counted on, and what the
    /// wall clock is judged by.
    fn steady(&self) -> Duration {
        self.monotonic()
    }

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

    fn steady(&self) -> Duration {
        since_boot().unwrap_or_else(|| self.origin.elapsed())
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

/// Linux stops `CLOCK_MONOTONIC` during suspend, which is what [`Instant`] is there. <https://man7.org/linux/man-pages/man2/clock_gettime.2.html>
#[cfg(any(target_os = "linux", target_os = "android"))]
fn since_boot() -> Option<Duration> {
    read(rustix::time::ClockId::Boottime)
}

/// Apple's `CLOCK_MONOTONIC` goes on during sleep (its manual, `clock_gettime(3)`); [`Instant`] there does not.
#[cfg(target_vendor = "apple")]
fn since_boot() -> Option<Duration> {
    read(rustix::time::ClockId::Monotonic)
}

/// Elsewhere (Windows: the performance counter) [`Instant`] goes on during suspend.
#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
fn since_boot() -> Option<Duration> {
    None
}

#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
fn read(clock: rustix::time::ClockId) -> Option<Duration> {
    let time = rustix::time::clock_gettime(clock);
    let seconds = u64::try_from(time.tv_sec).ok()?;
    let nanoseconds = u32::try_from(time.tv_nsec).ok()?;
    Some(Duration::new(seconds, nanoseconds))
}

/// A clock that stands still until it is moved; a sleep moves it and returns at once.
#[derive(Debug)]
pub struct FakeClock {
    start: Timestamp,
    moved: Mutex<Moved>,
}

/// How far a fake clock was moved.
#[derive(Debug, Clone, Copy, Default)]
struct Moved {
    awake: Duration,
    asleep: Duration,
    /// What the wall clock was set ahead or back beside the time that passed.
    set: chrono::Duration,
}

impl FakeClock {
    /// A clock that shows `start`.
    pub fn at(start: Timestamp) -> Self {
        Self {
            start,
            moved: Mutex::default(),
        }
    }

    /// Time passes.
    pub fn advance(&self, duration: Duration) {
        self.lock().awake += duration;
    }

    /// Time passes while the machine is suspended: the monotonic clock does not see it.
    pub fn suspend(&self, duration: Duration) {
        self.lock().asleep += duration;
    }

    /// The wall clock is set, ahead or (with a negative step) back; no time passes.
    pub fn step(&self, step: chrono::Duration) {
        let mut moved = self.lock();
        moved.set += step;
    }

    fn lock(&self) -> MutexGuard<'_, Moved> {
        self.moved.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Clock for FakeClock {
    fn now(&self) -> Timestamp {
        let moved = *self.lock();
        let passed = chrono::Duration::from_std(moved.awake + moved.asleep);
        let at = self.start + passed.unwrap_or(chrono::Duration::MAX) + moved.set;
        at.trunc_subsecs(6)
    }

    fn monotonic(&self) -> Duration {
        self.lock().awake
    }

    fn steady(&self) -> Duration {
        let moved = *self.lock();
        moved.awake + moved.asleep
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

    #[test]
    fn the_machine_says_how_long_it_is_up() {
        let clock = SystemClock::default();
        let before = clock.steady();
        assert!(clock.steady() >= before);
        #[cfg(target_os = "linux")]
        {
            let up = std::process::Command::new("cat").arg("/proc/uptime").output();
            let up = String::from_utf8(up.expect("a process").stdout).expect("text");
            let up: f64 = up
                .split(' ')
                .next()
                .and_then(|up| up.parse().ok())
                .expect("seconds");
            assert!(
                (clock.steady().as_secs_f64() - up).abs() < 5.0,
                "{before:?}, up {up}"
            );
        }
    }
}
