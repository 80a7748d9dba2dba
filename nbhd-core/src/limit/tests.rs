//! The limits within this process, against the algorithm in its other form: by arrival times.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::clock::FakeClock;
use crate::store::MemoryStore;
use crate::{Code, Host};

/// The generic cell rate algorithm as virtual scheduling (ITU-T I.371, annex A), in units of 1/`units` µs, so that it is
/// exact: a unit is due every `per` and may come `per * (units - 1)` before that.
struct VirtualScheduling {
    units: i128,
    per: i128,
    due: i128,
}

impl VirtualScheduling {
    /// Nothing when `take` units conform at `now` µs, else the µs until they would.
    fn arrive(&mut self, now: i64, take: u32) -> Option<i128> {
        let now = i128::from(now) * self.units;
        let after = self.due.max(now) + i128::from(take) * self.per;
        let early = after - now - self.units * self.per;
        if early > 0 {
            return Some((early + self.units - 1) / self.units);
        }
        self.due = after;
        None
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_kinds_of_limits_and_the_other_form_of_the_algorithm_say_the_same(
        units in 1..20_u32,
        per in 1..5_000_000_u64,
        arrivals in prop::collection::vec((0..3_000_000_u64, 0..4_u32), 1..60),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let clock = Arc::new(FakeClock::at("2026-01-01T00:00:00Z".parse().unwrap()));
            let store = Arc::new(MemoryStore::new().with_clock(clock.clone()));
            let host = Host::builder(store).with_clock(clock.clone()).build();
            let (local, stored) = (LocalLimits::new(&host), StoreLimits::new(&host));
            let mut model = VirtualScheduling { units: units.into(), per: per.into(), due: i128::MIN / 2 };
            let mut now = 0_i64;
            for (gap, take) in arrivals {
                clock.advance(Duration::from_micros(gap));
                now += gap as i64;
                let take = take.min(units);
                let limit = [Limit::new("x", units, Duration::from_micros(per)).with_take(take)];
                let expected = model.arrive(now, take);
                for answer in [local.take(&limit).await, stored.take(&limit).await] {
                    let wait = answer.err().map(|error| {
                        assert_eq!(error.code(), Code::RateLimited);
                        error.retry_after().unwrap().as_micros() as i128
                    });
                    prop_assert_eq!(wait, expected);
                }
            }
            Ok(())
        })?;
    }
}
