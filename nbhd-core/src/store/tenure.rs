//! A lease as its holder may count on it.
//!
//! The store's clock decides when a lease ends, and its answer takes time to arrive. So the holder counts from before it
//! asked, on a clock that goes on while the machine is suspended, and stops a margin before the end. Whoever is about to
//! do something that the store does not guard (a request to somebody else) looks again with [`Tenure::is_sure`].

use std::time::Duration;

use super::{Guard, Lease, Write};
use crate::{Host, Result};

/// How often a lease is renewed while it lasts: every 20 s of 60.
pub(crate) const RENEWALS: u32 = 3;

/// The longest margin: clocks that differ by this much within a minute are broken.
const MARGIN: Duration = Duration::from_secs(5);

/// A lease that was taken or renewed, and until when its holder may rely on it.
#[derive(Debug, Clone)]
pub(crate) struct Tenure {
    pub(crate) lease: Lease,
    /// By the host's steady clock.
    until: Duration,
}

impl Tenure {
    /// Takes the lease on `lane`, or `None` while somebody else has it.
    pub(crate) async fn take(host: &Host, lane: &str, ttl: Duration) -> Result<Option<Self>> {
        let until = until(host, ttl);
        let lease = host.store().claim(lane, ttl).await?;
        Ok(lease.map(|lease| Self { lease, until }))
    }

    /// Prolongs it; `false` when it was lost.
    pub(crate) async fn renew(&mut self, host: &Host, ttl: Duration) -> Result<bool> {
        let until = until(host, ttl);
        let Some(lease) = host.store().renew(&self.lease, ttl).await? else {
            self.until = Duration::ZERO;
            return Ok(false);
        };
        *self = Self { lease, until };
        Ok(true)
    }

    /// Whether it can still be relied on, without asking anybody.
    pub(crate) fn is_sure(&self, host: &Host) -> bool {
        host.clock().steady() < self.until
    }

    /// Holds while the store sees the lease alive.
    pub(crate) fn guard(&self) -> Guard {
        Guard::Lease {
            lane: self.lease.lane.clone(),
            epoch: self.lease.epoch,
        }
    }

    /// Gives it back.
    pub(crate) fn release(&self) -> Write {
        Write::Release {
            lane: self.lease.lane.clone(),
            epoch: self.lease.epoch,
        }
    }
}

fn until(host: &Host, ttl: Duration) -> Duration {
    let sure = ttl.saturating_sub(MARGIN.min(ttl / 10));
    host.clock().steady().saturating_add(sure)
}
