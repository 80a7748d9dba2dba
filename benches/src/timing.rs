//! Figures of one round: medians in microseconds.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// The figures of one round, by name.
pub(crate) type Figures = BTreeMap<&'static str, f64>;

/// The times of one arm.
#[derive(Default)]
pub(crate) struct Times(Vec<f64>);

impl Times {
    pub(crate) fn add(&mut self, time: Duration) {
        self.0.push(time.as_secs_f64() * 1e6);
    }

    /// The time below which `share` of the calls stayed, in microseconds.
    pub(crate) fn quantile(&mut self, share: f64) -> f64 {
        self.0.sort_by(f64::total_cmp);
        let last = self.0.len().saturating_sub(1) as f64;
        self.0
            .get((last * share).round() as usize)
            .copied()
            .unwrap_or(0.0)
    }

    pub(crate) fn median(&mut self) -> f64 {
        self.quantile(0.5)
    }
}

/// The mean time of `work`, in microseconds, as the median of batches: for what is shorter than a look at the clock.
pub(crate) fn each(batches: usize, size: usize, mut work: impl FnMut()) -> f64 {
    let mut times = Times::default();
    for _ in 0..batches {
        let began = Instant::now();
        for _ in 0..size {
            work();
        }
        times.add(began.elapsed() / u32::try_from(size).unwrap_or(1));
    }
    times.median()
}
