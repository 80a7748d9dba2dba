//! A rate gate within this process: the generic cell rate algorithm over the host's clock.
//!
//! A place is reserved at once and waited for, so those who wait pass in the order in which they came; who goes away while waiting gives
//! the place back. When the other side says 429, everybody behind the gate slows down together.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use crate::http::{HeaderMap, StatusCode};
use crate::transport::{Permit, Permits, retry_after};
use crate::{Code, Error, Operation, Result};

/// The first pause after a 429 that names none; it doubles with each further one, up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause after a 429 that names none: what the vendors' guides call typical.
const LONGEST_PAUSE: Duration = Duration::from_secs(32);

/// So many units a minute. Clones share the gate.
#[derive(Debug, Clone)]
pub struct Gate(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// The time that one unit takes.
    interval: Duration,
    /// The time's worth of units that may pass at once.
    burst: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// When the next unit is due if units came evenly: the algorithm's theoretical arrival time.
    due: Duration,
    /// Until when nobody passes, because the other side said so.
    closed_until: Duration,
    /// How many 429 came in a row.
    refusals: u32,
}

impl Gate {
    /// A gate that lets `units` pass each minute, and a tenth of a minute's worth (at least one) at once. `invalid_config` for 0.
    pub fn per_minute(units: u32) -> Result<Self> {
        if units == 0 {
            return Err(Error::new(
                Code::InvalidConfig,
                "a gate that lets 0 units pass would never open",
            ));
        }
        let interval = Duration::from_mins(1) / units;
        Ok(Self::new(interval, (units / 10).max(1)))
    }

    /// Sets how many units may pass at once after a pause. A new gate: it shares nothing with this one.
    pub fn with_burst(self, units: u32) -> Self {
        Self::new(self.0.interval, units.max(1))
    }

    fn new(interval: Duration, burst: u32) -> Self {
        Self(Arc::new(Inner {
            interval,
            burst: interval * burst,
            state: Mutex::default(),
        }))
    }

    /// Closes the gate for everybody, for at least `pause` from now.
    pub fn slow_down(&self, operation: &Operation, pause: Duration) {
        let until = operation.host().clock().monotonic() + pause;
        let mut state = self.lock();
        state.closed_until = state.closed_until.max(until);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a place; the time when it may be used.
    fn reserve(&self, now: Duration, units: u32) -> (Place, Duration) {
        let cost = self.0.interval * units;
        let mut state = self.lock();
        state.due = state.due.max(now) + cost;
        // More units than the burst pass when the gate is full, and run into debt.
        let at = state.due.saturating_sub(self.0.burst.max(cost)).max(now);
        (
            Place {
                gate: self.clone(),
                cost,
                used: false,
            },
            at,
        )
    }

    fn answered(&self, operation: &Operation, status: StatusCode, asked: Option<Duration>) {
        if status != StatusCode::TOO_MANY_REQUESTS {
            self.lock().refusals = 0;
            return;
        }
        let pause = {
            let mut state = self.lock();
            let doubled = FIRST_PAUSE * 2_u32.saturating_pow(state.refusals.min(5));
            state.refusals = state.refusals.saturating_add(1);
            asked.unwrap_or(doubled.min(LONGEST_PAUSE))
        };
        self.slow_down(operation, pause);
    }
}

/// A reserved place: given back unless it is used, and also when it turns out that nobody was asked.
struct Place {
    gate: Gate,
    cost: Duration,
    used: bool,
}

impl Drop for Place {
    fn drop(&mut self) {
        if !self.used {
            let mut state = self.gate.lock();
            state.due = state.due.saturating_sub(self.cost);
        }
    }
}

#[async_trait]
impl Permits for Gate {
    async fn acquire(&self, operation: &Operation, units: u32) -> Result<Permit> {
        let clock = operation.host().clock();
        let (mut place, at) = self.reserve(clock.monotonic(), units);
        loop {
            let now = clock.monotonic();
            let open = at.max(self.lock().closed_until);
            let wait = open.saturating_sub(now);
            if wait.is_zero() {
                break;
            }
            if wait > operation.remaining() {
                return Err(Error::new(
                    Code::RateLimited,
                    format!(
                        "the rate gate opens in {:.1} s, after the deadline",
                        wait.as_secs_f64()
                    ),
                )
                .with_retry_after(wait));
            }
            operation.wait("permit", wait).await?;
        }
        place.used = true;
        let (gate, operation) = (self.clone(), operation.clone());
        let complete = move |status, headers: &HeaderMap| {
            let now = operation.host().clock().now();
            gate.answered(&operation, status, retry_after(headers, now));
        };
        Ok(Permit::new(complete).with_refund(move || {
            place.used = false;
            drop(place);
        }))
    }
}

#[cfg(all(test, feature = "testkit"))]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::Host;
    use crate::clock::FakeClock;
    use crate::testkit::Storeless;

    fn host() -> Host {
        Storeless::host()
            .with_clock(Arc::new(FakeClock::at(DateTime::UNIX_EPOCH)))
            .build()
    }

    async fn pass(gate: &Gate, host: &Host, units: u32) -> Result<u64> {
        gate.acquire(&Operation::begin(host, "test.call"), units).await?;
        Ok(host.clock().monotonic().as_secs())
    }

    #[tokio::test]
    async fn a_burst_passes_then_the_pace_holds() {
        let (host, gate) = (host(), Gate::per_minute(60).expect("a gate").with_burst(3));
        let mut at = Vec::new();
        for _ in 0..5 {
            at.push(pass(&gate, &host, 1).await.expect("a permit"));
        }
        assert_eq!(at, [0, 0, 0, 1, 2]);
        // Ten units are more than the burst: they pass when the gate is full, and the next one pays for them.
        assert_eq!(pass(&gate, &host, 10).await.expect("a permit"), 5);
        assert_eq!(pass(&gate, &host, 1).await.expect("a permit"), 13);
    }

    #[tokio::test]
    async fn who_cannot_wait_gives_the_place_back() {
        let (host, gate) = (host(), Gate::per_minute(1).expect("a gate"));
        pass(&gate, &host, 1).await.expect("a permit");
        let hasty = Operation::begin_within(&host, "test.call", Duration::from_secs(5));
        for _ in 0..3 {
            let error = gate.acquire(&hasty, 1).await.expect_err("no time");
            assert_eq!(error.code(), Code::RateLimited);
            assert_eq!(error.retry_after(), Some(Duration::from_mins(1)));
        }
        assert_eq!(pass(&gate, &host, 1).await.expect("a permit"), 60);
    }

    #[tokio::test]
    async fn everybody_slows_down_after_a_429() {
        let (host, gate) = (host(), Gate::per_minute(6000).expect("a gate"));
        let refused = |text: Option<&'static str>| {
            let (host, gate) = (host.clone(), gate.clone());
            async move {
                let mut headers = HeaderMap::new();
                if let Some(text) = text {
                    headers.insert("retry-after", text.parse().expect("a value"));
                }
                let operation = Operation::begin(&host, "test.call");
                let mut permit = gate.acquire(&operation, 1).await.expect("a permit");
                permit.complete(StatusCode::TOO_MANY_REQUESTS, &headers);
                host.clock().monotonic().as_secs()
            }
        };
        assert_eq!(refused(Some("7")).await, 0);
        assert_eq!(refused(None).await, 7);
        assert_eq!(refused(None).await, 9, "the second in a row without a time: 2 s");
        assert_eq!(pass(&gate, &host, 1).await.expect("a permit"), 13);
    }
}
