//! An access token in memory, and how long it is used.

use std::sync::Arc;
use std::time::Duration;

use nbhd_core::{Secret, Timestamp};

/// How long before its end a token is refreshed: longer than the longest call takes, clocks that disagree included.
pub(super) const EARLY: Duration = Duration::from_secs(120);

/// The most that jitter adds to [`EARLY`], so that processes which got their token together do not refresh together.
const JITTER: Duration = Duration::from_secs(30);

/// An access token with its grant.
#[derive(Debug, Clone)]
pub(crate) struct Access {
    pub(crate) token: Arc<Secret>,
    pub(crate) expires_at: Timestamp,
    pub(crate) scopes: Arc<[String]>,
    /// The version of the record that it stands in.
    pub(super) version: u64,
    refresh_at: Timestamp,
}

impl Access {
    /// A token that lives from `issued_at` to `expires_at`; `fraction` (0 to 1) is its share of the jitter.
    ///
    /// A token that lives shorter than four minutes is used for half its life: else it would never be used at all.
    pub(super) fn new(
        token: Secret,
        scopes: &[String],
        version: u64,
        (issued_at, expires_at): (Timestamp, Timestamp),
        fraction: f64,
    ) -> Self {
        let life = (expires_at - issued_at).to_std().unwrap_or_default();
        let early = (EARLY + JITTER.mul_f64(fraction.clamp(0.0, 1.0))).min(life / 2);
        Self {
            token: Arc::new(token),
            expires_at,
            scopes: scopes.into(),
            version,
            refresh_at: expires_at - chrono::Duration::from_std(early).unwrap_or_default(),
        }
    }

    /// The same, left alone for a while: Google did not answer, and the next caller need not find that out again.
    pub(super) fn postponed(mut self, now: Timestamp) -> Self {
        self.refresh_at = (now + chrono::Duration::seconds(10)).min(self.expires_at);
        self
    }

    /// Whether it needs no refresh yet.
    pub(super) fn is_fresh(&self, now: Timestamp) -> bool {
        now < self.refresh_at
    }

    /// Whether it is still good, though its refresh may be due.
    pub(super) fn is_live(&self, now: Timestamp) -> bool {
        now < self.expires_at
    }
}

#[cfg(test)]
mod tests {
    use nbhd_core::{Secret, Timestamp};

    use super::Access;

    #[test]
    fn refreshed_two_minutes_early_and_a_short_life_is_halved() {
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let at = |seconds| now + chrono::Duration::seconds(seconds);
        let hour = Access::new(Secret::new("a"), &[], 1, (now, at(3600)), 0.0);
        assert!(hour.is_fresh(at(3479)) && !hour.is_fresh(at(3480)) && hour.is_live(at(3599)));
        let jittered = Access::new(Secret::new("a"), &[], 1, (now, at(3600)), 1.0);
        assert!(jittered.is_fresh(at(3449)) && !jittered.is_fresh(at(3450)));
        let short = Access::new(Secret::new("a"), &[], 1, (now, at(60)), 1.0);
        assert!(short.is_fresh(at(29)) && !short.is_fresh(at(30)));
        let dead = Access::new(Secret::new("a"), &[], 1, (now, at(-5)), 0.5);
        assert!(!dead.is_fresh(now) && !dead.is_live(now));
    }
}
