//! The only owner of repetition.

use std::time::Duration;

/// How failed attempts are repeated.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct RetryPolicy {
    /// How many attempts there are at most, the first included. 4.
    pub attempts: u32,
    /// The longest first pause; it doubles with each attempt. 0.5 s.
    pub base: Duration,
    /// The longest pause that is chosen here. 32 s.
    pub cap: Duration,
    /// The longest pause that the other side may ask for; a longer one is surfaced as the error's `retry_after`. 60 s.
    pub longest_wait: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts: 4,
            base: Duration::from_millis(500),
            cap: Duration::from_secs(32),
            longest_wait: Duration::from_secs(60),
        }
    }
}

impl RetryPolicy {
    /// Sets how many attempts there are at most.
    pub fn with_attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts;
        self
    }
}
