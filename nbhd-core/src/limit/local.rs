//! Limits within this process: the generic cell rate algorithm, in its form as a leaky bucket that leaks continuously
//! (ITU-T I.371, annex A, where the form by arrival times is shown to be the same). The arithmetic is the stores' own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use super::{Limit, Limits};
use crate::store::{Level, take};
use crate::{Host, Result};

/// Below this many limits nothing is swept.
const SWEEP: usize = 1_000;

/// Limits that this process keeps for itself, on the host's steady clock. Clones share them.
#[derive(Debug, Clone)]
pub struct LocalLimits {
    host: Host,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    levels: HashMap<String, Level>,
    sweep_at: usize,
}

impl LocalLimits {
    /// Limits of which nothing is taken.
    pub fn new(host: &Host) -> Self {
        Self {
            host: host.clone(),
            state: Arc::default(),
        }
    }

    fn take_at(&self, limits: &[Limit], now: i64) -> Result<()> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut taken: Vec<(String, Level)> = Vec::with_capacity(limits.len());
        for limit in limits {
            let key = limit.key();
            let known = taken
                .iter()
                .rev()
                .find(|(same, _)| *same == key)
                .map(|(_, level)| *level)
                .or_else(|| state.levels.get(&key).copied());
            match take(known, limit.take, limit.bucket()?, now)? {
                Ok(level) => taken.push((key, level)),
                Err((left, wait)) => return Err(limit.refusal(left, wait)),
            }
        }
        state.levels.extend(taken);
        state.sweep(now);
        Ok(())
    }
}

impl State {
    /// A limit of which nothing is taken need not be kept. Swept when their number has doubled.
    fn sweep(&mut self, now: i64) {
        if self.levels.len() >= self.sweep_at {
            self.levels.retain(|_, level| now < level.full_at);
            self.sweep_at = SWEEP.max(2 * self.levels.len());
        }
    }
}

#[async_trait]
impl Limits for LocalLimits {
    async fn take(&self, limits: &[Limit]) -> Result<()> {
        self.take_at(limits, micros(self.host.clock().steady()))
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
