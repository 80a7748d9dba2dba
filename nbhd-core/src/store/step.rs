//! A clock that steps ahead is not believed at once.
//!
//! A wall clock that is suddenly hours ahead would end every record that lives by time: dedupe keys, windows of a
//! budget, leases. Within one running process it is judged by a steadier clock, one that only counts, also while the
//! machine is suspended: so neither sleep nor absence counts as a step. A step of more than [`BELIEVED_STEP`] is not
//! followed: the store's time goes on as it did, so nothing is pruned and no window rolls over before its time, until
//! somebody confirms the new time, the clock comes back, or the program is started anew. A step back is another matter:
//! the store holds the last time that it saw.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use super::apply::{Micros, micros};
use crate::clock::Clock;

/// How far a clock may step ahead within a running process and still be believed.
pub const BELIEVED_STEP: Duration = Duration::from_secs(60 * 60);

/// How long after a look at the steady clock the wall clock is believed without another: a step of less is none.
const BELIEVED_AT_ONCE: Micros = 1_000_000;

/// Judges the clock of one store, for as long as the process runs. Takes no lock, so a fork cannot leave one taken.
///
/// A store on the host's clock asks [`now`](Self::now) what time it is. One with a clock of its own (a server's) sends
/// [`ceiling`](Self::ceiling) with each operation: when its clock is above it, it goes by `ceiling` less
/// [`BELIEVED_STEP`]. What came of it is told with [`heard`](Self::heard) or [`settle`](Self::settle), because others who
/// share the store may have moved it.
#[derive(Debug)]
pub(crate) struct StepWatch {
    clock: Arc<dyn Clock>,
    /// What the wall clock said when it was last judged and believed, else [`UNSEEN`].
    believed: AtomicI64,
    /// The latest time that was believed, less what the steady clock said at it; [`UNSEEN`] before the first.
    offset: AtomicI64,
    /// How far ahead the clock is while it is not believed, else 0.
    ahead: AtomicI64,
}

const UNSEEN: Micros = Micros::MIN;

impl StepWatch {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            believed: AtomicI64::new(UNSEEN),
            offset: AtomicI64::new(UNSEEN),
            ahead: AtomicI64::new(0),
        }
    }

    /// The time of the host's clock to go by.
    pub(crate) fn now(&self) -> Micros {
        let wall = self.clock.now().timestamp_micros();
        let believed = self.believed.load(Ordering::Relaxed);
        if wall >= believed && wall.saturating_sub(believed) < BELIEVED_AT_ONCE {
            return wall;
        }
        let expected = self.expected().unwrap_or(UNSEEN);
        let step = wall.saturating_sub(expected);
        if expected != UNSEEN && step > micros(BELIEVED_STEP) {
            self.doubt(step);
            return expected;
        }
        self.ahead.store(0, Ordering::Relaxed);
        self.believed.store(wall, Ordering::Relaxed);
        if step > 0 {
            self.settle(wall);
        }
        wall
    }

    /// The store came to this time, perhaps because another process moved it: from here it goes on.
    pub(crate) fn settle(&self, now: Micros) {
        let offset = now.saturating_sub(self.steady());
        self.offset.fetch_max(offset, Ordering::Relaxed);
    }

    /// The latest time that is believed now; `None` before the first.
    #[cfg_attr(
        not(any(test, feature = "postgres", feature = "redis")),
        expect(dead_code, reason = "for stores on a server's clock")
    )]
    pub(crate) fn ceiling(&self) -> Option<Micros> {
        Some(self.expected()?.saturating_add(micros(BELIEVED_STEP)))
    }

    /// A server's clock gave this time; or it said that it is `ahead` of it, and went by the ceiling.
    #[cfg_attr(
        not(any(test, feature = "postgres", feature = "redis")),
        expect(dead_code, reason = "for stores on a server's clock")
    )]
    pub(crate) fn heard(&self, now: Micros, ahead: Option<Micros>) {
        match ahead {
            Some(step) => self.doubt(step),
            None => self.ahead.store(0, Ordering::Relaxed),
        }
        self.settle(now);
    }

    /// How far ahead the clock was when it was last asked and not believed.
    pub(crate) fn ahead(&self) -> Option<Duration> {
        match self.ahead.load(Ordering::Relaxed) {
            0 => None,
            ahead => Some(Duration::from_micros(ahead.unsigned_abs())),
        }
    }

    /// Somebody has looked: the clock is right.
    pub(crate) fn confirm(&self) {
        self.believed.store(UNSEEN, Ordering::Relaxed);
        self.offset.store(UNSEEN, Ordering::Relaxed);
        self.ahead.store(0, Ordering::Relaxed);
    }

    fn expected(&self) -> Option<Micros> {
        match self.offset.load(Ordering::Relaxed) {
            UNSEEN => None,
            offset => Some(offset.saturating_add(self.steady())),
        }
    }

    fn steady(&self) -> Micros {
        micros(self.clock.steady())
    }

    fn doubt(&self, step: Micros) {
        self.believed.store(UNSEEN, Ordering::Relaxed);
        if self.ahead.swap(step, Ordering::Relaxed) == 0 {
            tracing::warn!(
                target: "nbhd::store",
                seconds = step / 1_000_000,
                "the clock stepped ahead: not believed until it is confirmed"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::FakeClock;

    const HOUR: Duration = BELIEVED_STEP;

    fn watch() -> (Arc<FakeClock>, StepWatch, Micros) {
        let clock = Arc::new(FakeClock::at("2026-01-01T00:00:00Z".parse().expect("a time")));
        let watch = StepWatch::new(clock.clone());
        let start = watch.now();
        (clock, watch, start)
    }

    #[test]
    fn neither_sleep_nor_absence_is_a_step() {
        let (clock, watch, start) = watch();
        clock.suspend(48 * HOUR);
        clock.advance(24 * HOUR);
        assert_eq!(watch.now(), start + micros(72 * HOUR));
        assert_eq!(watch.ahead(), None);
    }

    #[test]
    fn a_step_of_an_hour_is_believed_and_a_longer_one_when_it_is_confirmed() {
        let (clock, watch, start) = watch();
        clock.step(chrono::Duration::hours(1));
        assert_eq!(watch.now(), start + micros(HOUR));
        clock.step(chrono::Duration::hours(5));
        clock.advance(Duration::from_secs(7));
        assert_eq!(watch.now(), start + micros(HOUR + Duration::from_secs(7)));
        assert_eq!(watch.ahead(), Some(5 * HOUR));
        watch.confirm();
        assert_eq!(watch.now(), start + micros(6 * HOUR + Duration::from_secs(7)));
        assert_eq!(watch.ahead(), None);
    }

    #[test]
    fn a_clock_that_comes_back_is_believed_again() {
        let (clock, watch, start) = watch();
        clock.step(chrono::Duration::days(30));
        assert_eq!(watch.now(), start);
        clock.step(chrono::Duration::days(-30));
        clock.advance(HOUR);
        assert_eq!((watch.now(), watch.ahead()), (start + micros(HOUR), None));
    }

    #[test]
    fn a_server_is_given_the_latest_time_that_is_believed() {
        let (clock, watch, start) = watch();
        clock.advance(HOUR);
        assert_eq!(watch.ceiling(), Some(start + micros(2 * HOUR)));
        watch.heard(start + micros(HOUR), Some(micros(8 * HOUR)));
        assert_eq!(watch.ahead(), Some(8 * HOUR));
        assert_eq!(watch.ceiling(), Some(start + micros(2 * HOUR)));
        watch.heard(start + micros(9 * HOUR), None);
        assert_eq!(watch.ahead(), None);
        assert_eq!(
            watch.ceiling(),
            Some(start + micros(10 * HOUR)),
            "others moved it"
        );
        watch.confirm();
        assert_eq!(watch.ceiling(), None);
    }
}
