//! Who rests, and for how long: kept in the store, so that every process knows, and never shortened.
//!
//! The provider's own reset time comes first; else a ladder that rises with each failure and halves with every 30 quiet
//! minutes.

use std::time::Duration;

use nbhd_core::store::{Commit, Committed, Guard, Store, Write};
use nbhd_core::{Code, Error, Host, Result, Timestamp};
use serde::{Deserialize, Serialize};

use super::classify::{Cooldown, Lane};

/// A step of the ladder is forgotten with each quiet time of this length.
const QUIET_MS: i64 = 30 * 60 * 1_000;

/// The longest rest that a provider may ask for: a week. More is a mistake.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// How often a step is repeated when another process was faster.
const ROUNDS: usize = 8;

/// Version 1 of a rest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Rest {
    v: u8,
    /// When it ends, in milliseconds since 1970.
    until: i64,
    /// How many failures the ladder has counted.
    failures: u32,
    /// When it last failed.
    failed_at: i64,
    lane: Lane,
}

/// The health of all candidates. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Health {
    host: Host,
}

/// Why and until when a candidate rests.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Resting {
    pub(crate) lane: Lane,
    pub(crate) left: Duration,
    pub(crate) until: Timestamp,
}

impl Health {
    pub(crate) fn new(host: &Host) -> Self {
        Self { host: host.clone() }
    }

    fn store(&self) -> &dyn Store {
        &**self.host.store()
    }

    /// Whether the candidate rests now.
    pub(crate) async fn resting(&self, provider: &str, model: &str) -> Result<Option<Resting>> {
        let mut longest: Option<Resting> = None;
        let mut now = None;
        let (by_provider, by_model) = (provider_key(provider), model_key(provider, model));
        // Asked at once: a store with a thread of its own answers both in one round.
        let (by_provider, by_model) = tokio::join!(self.read(&by_provider), self.read(&by_model));
        for (rest, _) in [by_provider?, by_model?].into_iter().flatten() {
            let now = match now {
                Some(now) => now,
                None => *now.insert(self.store().now().await?),
            };
            let left = rest.until - now.timestamp_millis();
            let Some(until) = Timestamp::from_timestamp_millis(rest.until).filter(|_| left > 0) else {
                continue;
            };
            let resting = Resting {
                lane: rest.lane,
                left: Duration::from_millis(left as u64),
                until,
            };
            if longest.is_none_or(|longest| longest.left < resting.left) {
                longest = Some(resting);
            }
        }
        Ok(longest)
    }

    /// Lets the candidate rest as its failure asks, by the provider's own word or by the ladder.
    pub(crate) async fn failed(
        &self,
        provider: &str,
        model: &str,
        lane: Lane,
        asked: Option<Duration>,
    ) -> Result<()> {
        let (_, cooldown) = lane.policy();
        let key = match cooldown {
            Cooldown::None => return Ok(()),
            Cooldown::Model { .. } | Cooldown::ModelSteps(_) => model_key(provider, model),
            Cooldown::Provider { .. } => provider_key(provider),
        };
        for _ in 0..ROUNDS {
            let known = self.read(&key).await?;
            let now = self.store().now().await?.timestamp_millis();
            let (before, version) = known.map_or((None, 0), |(rest, version)| (Some(rest), version));
            let rest = next(before.as_ref(), cooldown, lane, asked, now);
            // Kept until the ladder has forgotten everything.
            let quiet = i64::from(32 - rest.failures.leading_zeros()).saturating_mul(QUIET_MS);
            let ttl = (rest.until - now).max(0).saturating_add(quiet);
            let guard = match version {
                0 => Guard::Absent { key: key.clone() },
                version => Guard::Version {
                    key: key.clone(),
                    version,
                },
            };
            let value = serde_json::to_string(&rest)
                .map_err(|_| Error::new(Code::Internal, "a cooldown cannot be written as JSON"))?;
            let commit = Commit::new().guard(guard).write(Write::Put {
                key: key.clone(),
                value,
                ttl: Some(Duration::from_millis(ttl as u64)),
            });
            if let Committed::Done { .. } = self.store().commit(commit).await? {
                return Ok(());
            }
        }
        Ok(()) // others are noting the same: theirs will do
    }

    async fn read(&self, key: &str) -> Result<Option<(Rest, u64)>> {
        let Some(record) = self.store().get(key).await? else {
            return Ok(None);
        };
        // A later version that this code cannot read is no rest for it.
        let rest: Option<Rest> = serde_json::from_str(&record.value).ok();
        Ok(rest.filter(|rest| rest.v == 1).map(|rest| (rest, record.version)))
    }
}

/// The rest that follows a failure at `now`.
fn next(before: Option<&Rest>, cooldown: Cooldown, lane: Lane, asked: Option<Duration>, now: i64) -> Rest {
    let counted = before.map_or(0, |rest| {
        let quiet = (now - rest.failed_at.max(rest.until)).max(0) / QUIET_MS;
        rest.failures
            .checked_shr(u32::try_from(quiet).unwrap_or(32))
            .unwrap_or(0)
    });
    let ladder = match cooldown {
        Cooldown::None => 0,
        Cooldown::ModelSteps(steps) => steps[(counted as usize).min(steps.len() - 1)],
        Cooldown::Model { base, most } | Cooldown::Provider { base, most } => base
            .saturating_mul(1_u64.checked_shl(counted).unwrap_or(u64::MAX))
            .min(most),
    };
    let chosen = asked.map_or(Duration::from_secs(ladder), |asked| asked.min(LONGEST));
    let until = now.saturating_add(chosen.as_millis() as i64);
    Rest {
        v: 1,
        until: before.map_or(until, |rest| until.max(rest.until)),
        failures: counted.saturating_add(1),
        failed_at: now,
        lane,
    }
}

fn provider_key(provider: &str) -> String {
    format!("llm/rest/{provider}")
}

fn model_key(provider: &str, model: &str) -> String {
    format!("llm/rest/{provider}/{model}")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use nbhd_core::Host;
    use nbhd_core::clock::FakeClock;
    use nbhd_core::store::MemoryStore;

    use super::{Health, Lane};

    fn health() -> (Health, Arc<FakeClock>) {
        let clock = Arc::new(FakeClock::at("2026-11-21T12:00:00Z".parse().unwrap()));
        let store = Arc::new(MemoryStore::new().with_clock(clock.clone()));
        (
            Health::new(&Host::builder(store).with_clock(clock.clone()).build()),
            clock,
        )
    }

    async fn left(health: &Health, model: &str) -> u64 {
        let resting = health.resting("openai", model).await.unwrap();
        resting.map_or(0, |resting| resting.left.as_secs())
    }

    #[tokio::test]
    async fn the_ladder_rises_and_halves_with_quiet_time() {
        let (health, clock) = health();
        let mut seen = Vec::new();
        for _ in 0..9 {
            health.failed("openai", "a", Lane::Rate, None).await.unwrap();
            let rest = left(&health, "a").await;
            seen.push(rest);
            clock.advance(Duration::from_secs(rest));
        }
        assert_eq!(seen, [30, 60, 120, 240, 480, 960, 1_920, 3_600, 3_600]);
        assert_eq!(left(&health, "a").await, 0);
        assert_eq!(left(&health, "b").await, 0);
        // Nine failures; an hour of quiet is two halvings: two are left.
        clock.advance(Duration::from_secs(60 * 60));
        health.failed("openai", "a", Lane::Rate, None).await.unwrap();
        assert_eq!(left(&health, "a").await, 120);
        clock.advance(Duration::from_secs(24 * 60 * 60));
        health.failed("openai", "a", Lane::Rate, None).await.unwrap();
        assert_eq!(left(&health, "a").await, 30);
    }

    #[tokio::test]
    async fn the_providers_own_time_comes_first_and_is_never_shortened() {
        let (health, _) = health();
        health
            .failed("openai", "a", Lane::Rate, Some(Duration::from_secs(400)))
            .await
            .unwrap();
        assert_eq!(left(&health, "a").await, 400);
        health
            .failed("openai", "a", Lane::Rate, Some(Duration::from_secs(5)))
            .await
            .unwrap();
        assert_eq!(left(&health, "a").await, 400);
    }

    #[tokio::test]
    async fn money_and_keys_rest_the_whole_provider() {
        let (health, _) = health();
        health.failed("openai", "a", Lane::Money, None).await.unwrap();
        assert_eq!((left(&health, "a").await, left(&health, "b").await), (600, 600));
        let (health, _) = self::health();
        health
            .failed("openai", "a", Lane::Overloaded, None)
            .await
            .unwrap();
        assert_eq!((left(&health, "a").await, left(&health, "b").await), (30, 0));
    }
}
