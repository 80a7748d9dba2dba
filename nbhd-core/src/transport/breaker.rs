//! The breaker: a provider that fails again and again is left alone for a while, and calls fail at once instead of waiting in vain.
//!
//! It counts what says that the provider is away (no connection, no reply in time, a broken reply, 5xx) and nothing that says it is there:
//! refusals for what was asked, for who asked, or for how often. One breaker for each origin in a host, on the monotonic clock. After the
//! pause one request is let through as a probe; its fate decides.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use super::Transport;
use crate::clock::Clock;
use crate::http::{Request, Response};
use crate::secret::redact_to;
use crate::{Code, Error, Operation, Result};

/// When a breaker opens, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct BreakerPolicy {
    /// How many failures in a row open it. 5: more than one call's attempts, so that one unlucky call closes nobody's door.
    pub failures: u32,
    /// How long it stays open before a probe. 30 s: longer than a restart behind a load balancer takes.
    pub pause: Duration,
}

impl Default for BreakerPolicy {
    fn default() -> Self {
        Self {
            failures: 5,
            pause: Duration::from_secs(30),
        }
    }
}

impl BreakerPolicy {
    /// Sets how many failures in a row open a breaker, at least one.
    pub fn with_failures(mut self, failures: u32) -> Self {
        self.failures = failures.max(1);
        self
    }

    /// Sets how long a breaker stays open before a probe.
    pub fn with_pause(mut self, pause: Duration) -> Self {
        self.pause = pause;
        self
    }
}

/// What a breaker does with the next request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum BreakerPosition {
    /// Lets it through.
    Closed,
    /// Refuses it.
    Open,
    /// Lets one through and refuses the others until its fate is known.
    HalfOpen,
}

/// A breaker, for whoever looks at it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct BreakerState {
    /// The origin it stands before, such as `https://api.example.org`.
    pub origin: String,
    /// What it does with the next request.
    pub position: BreakerPosition,
    /// How many failures came in a row.
    pub failures: u32,
    /// Why it was opened by hand.
    pub reason: Option<String>,
    /// Seconds until a probe is let through, when it is open.
    pub retry_after: Option<f64>,
}

/// The breakers of a host, one an origin. Clones share them.
#[derive(Debug, Clone)]
pub struct Breakers(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    policy: BreakerPolicy,
    clock: Arc<dyn Clock>,
    doors: Mutex<HashMap<String, Door>>,
}

/// One origin's breaker.
#[derive(Debug, Default)]
struct Door {
    failures: u32,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    until: Duration,
    /// Until when a probe is believed to be under way: one that vanished with its process or task blocks nobody for ever.
    probing_until: Option<Duration>,
    reason: Option<String>,
}

/// How many origins are remembered. Doors that are closed and without failures are not kept at all.
const ORIGINS: usize = 1_024;

impl Breakers {
    /// Breakers that are all closed.
    pub fn new(policy: BreakerPolicy, clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(Inner {
            policy,
            clock,
            doors: Mutex::default(),
        }))
    }

    /// The same policy by another clock, all closed.
    pub(crate) fn with_clock(&self, clock: Arc<dyn Clock>) -> Self {
        Self::new(self.0.policy, clock)
    }

    /// Every breaker that has something to tell: open, half open, or closed with failures. By origin.
    pub fn states(&self) -> Vec<BreakerState> {
        let now = self.0.clock.monotonic();
        let mut states: Vec<_> = self
            .lock()
            .iter()
            .map(|(origin, door)| door.state(origin, now))
            .collect();
        states.sort_by(|one, other| one.origin.cmp(&other.origin));
        states
    }

    /// The breaker before the origin of `url`.
    pub fn state(&self, url: &Url) -> BreakerState {
        let (origin, now) = (origin(url), self.0.clock.monotonic());
        self.lock().get(&origin).map_or_else(
            || Door::default().state(&origin, now),
            |door| door.state(&origin, now),
        )
    }

    /// Opens the breaker before the origin of `url` now, for one pause. `reason` is told to whoever is refused, redacted.
    pub fn force_open(&self, url: &Url, reason: &str) {
        let until = self.0.clock.monotonic() + self.0.policy.pause;
        let mut doors = self.lock();
        let door = doors.entry(origin(url)).or_default();
        door.open = Some(Open {
            until,
            probing_until: None,
            reason: Some(redact_to(reason, 200)),
        });
    }

    /// The same for a URL as text; `invalid_input` when it is none.
    pub fn force_open_at(&self, url: &str, reason: &str) -> Result<()> {
        self.force_open(&read(url)?, reason);
        Ok(())
    }

    /// The same as [`reset`](Self::reset) for a URL as text; `invalid_input` when it is none.
    pub fn reset_at(&self, url: &str) -> Result<()> {
        self.reset(&read(url)?);
        Ok(())
    }

    /// Closes the breaker before the origin of `url` and forgets its failures.
    pub fn reset(&self, url: &Url) {
        self.lock().remove(&origin(url));
    }

    /// Lets a request through, or says no.
    fn enter(&self, url: &Url) -> Result<Pass> {
        let now = self.0.clock.monotonic();
        let origin = origin(url);
        let mut probe = false;
        if let Some(open) = self.lock().get_mut(&origin).and_then(|door| door.open.as_mut()) {
            let until = open
                .probing_until
                .map_or(open.until, |until| until.max(open.until));
            let closed_for = until.saturating_sub(now);
            if !closed_for.is_zero() {
                return Err(refusal(open.reason.as_deref(), closed_for));
            }
            open.probing_until = Some(now + self.0.policy.pause);
            probe = true;
        }
        Ok(Pass {
            breakers: self.clone(),
            origin,
            probe,
            lively: false,
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Door>> {
        self.0.doors.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Door {
    fn state(&self, origin: &str, now: Duration) -> BreakerState {
        let left = self.open.as_ref().map(|open| open.until.saturating_sub(now));
        BreakerState {
            origin: origin.to_owned(),
            position: match left {
                None => BreakerPosition::Closed,
                Some(Duration::ZERO) => BreakerPosition::HalfOpen,
                Some(_) => BreakerPosition::Open,
            },
            failures: self.failures,
            reason: self.open.as_ref().and_then(|open| open.reason.clone()),
            retry_after: left.filter(|left| !left.is_zero()).map(|left| left.as_secs_f64()),
        }
    }
}

fn read(url: &str) -> Result<Url> {
    url.parse()
        .map_err(|_| Error::new(Code::InvalidInput, "the URL of the breaker cannot be read"))
}

fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

fn refusal(reason: Option<&str>, wait: Duration) -> Error {
    let why = reason.map_or_else(
        || "it failed again and again".to_owned(),
        |reason| format!("closed by hand: {reason}"),
    );
    Error::new(
        Code::ProviderUnavailable,
        format!(
            "the provider is left alone for another {:.1} s: {why}",
            wait.as_secs_f64()
        ),
    )
    .with_retry_after(wait)
    .settled()
}

/// A request that was let through. Without a verdict it changes nothing but to end its probe.
struct Pass {
    breakers: Breakers,
    origin: String,
    probe: bool,
    /// Whether the head of a good reply came.
    lively: bool,
}

impl Pass {
    /// The provider is there: its head came.
    fn alive(&mut self) {
        self.lively = true;
        if std::mem::take(&mut self.probe) {
            self.breakers.lock().remove(&self.origin);
        }
    }

    fn failed(&mut self) {
        let Inner { policy, clock, .. } = &*self.breakers.0;
        let until = clock.monotonic() + policy.pause;
        let mut doors = self.breakers.lock();
        if doors.len() >= ORIGINS && !doors.contains_key(&self.origin) {
            doors.retain(|_, door| door.open.is_some());
        }
        let door = doors.entry(self.origin.clone()).or_default();
        door.failures = door.failures.saturating_add(1);
        self.lively = false;
        let probe = std::mem::take(&mut self.probe);
        let due = match &door.open {
            Some(_) => probe, // else it was under way when the breaker opened
            None => door.failures >= policy.failures,
        };
        if due {
            door.open = Some(Open {
                until,
                probing_until: None,
                reason: None,
            });
        }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        if !self.lively && !self.probe {
            return;
        }
        let mut doors = self.breakers.lock();
        match doors.get_mut(&self.origin) {
            Some(Door { open: Some(open), .. }) if self.probe => open.probing_until = None,
            // The head came, and the body ended or was no longer wanted: all is well. Doors that are closed without failures are not kept.
            Some(Door { open: None, .. }) if self.lively => {
                doors.remove(&self.origin);
            }
            _ => {}
        }
    }
}

/// Whether the error says that the provider is away. What somebody else has given up on (a token that cannot be had) says nothing about it.
fn is_failure(error: &Error) -> bool {
    !error.is_settled()
        && matches!(
            error.code(),
            Code::ConnectionFailed
                | Code::Timeout
                | Code::TlsFailed
                | Code::ProtocolError
                | Code::ProviderUnavailable
                | Code::ProviderOverloaded
        )
}

/// Stands before each origin.
#[derive(Debug)]
pub(super) struct Broken {
    pub(super) breakers: Breakers,
    pub(super) inner: Arc<dyn Transport>,
}

#[async_trait]
impl Transport for Broken {
    async fn send(&self, operation: &Operation, request: Request) -> Result<Response> {
        let mut pass = self.breakers.enter(&request.url)?;
        let reply = match self.inner.send(operation, request).await {
            Ok(reply) => reply,
            Err(error) => {
                if is_failure(&error) {
                    pass.failed();
                }
                return Err(error);
            }
        };
        if reply.status.is_server_error() {
            pass.failed();
            return Ok(reply);
        }
        pass.alive();
        Ok(reply.map_body(|mut body| {
            let mut pass = Some(pass);
            Box::pin(futures::stream::poll_fn(move |context| {
                let piece = body.poll_next_unpin(context);
                match &piece {
                    Poll::Pending | Poll::Ready(Some(Ok(_))) => {}
                    Poll::Ready(Some(Err(error))) if is_failure(error) => {
                        pass.take().iter_mut().for_each(Pass::failed);
                    }
                    Poll::Ready(_) => drop(pass.take()),
                }
                piece
            }))
        }))
    }
}

#[cfg(all(test, feature = "testkit"))]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::clock::FakeClock;

    fn breakers() -> (Breakers, Arc<FakeClock>, Url) {
        let clock = Arc::new(FakeClock::at(DateTime::UNIX_EPOCH));
        let breakers = Breakers::new(BreakerPolicy::default(), clock.clone());
        (
            breakers,
            clock,
            "https://api.example.org/v1".parse().expect("a URL"),
        )
    }

    fn fail(breakers: &Breakers, url: &Url, times: u32) {
        for _ in 0..times {
            breakers.enter(url).expect("let through").failed();
        }
    }

    #[test]
    fn five_in_a_row_open_it_and_one_probe_decides() {
        let (breakers, clock, url) = breakers();
        fail(&breakers, &url, 4);
        breakers.enter(&url).expect("let through").alive();
        assert_eq!(breakers.states(), [], "a success forgets the failures");
        fail(&breakers, &url, 5);
        let refused = breakers.enter(&url).err().expect("refused");
        assert_eq!(refused.code(), Code::ProviderUnavailable);
        assert_eq!(refused.outcome(), crate::Outcome::NotSent);
        assert_eq!(refused.retry_after(), Some(Duration::from_secs(30)));
        clock.advance(Duration::from_secs(29));
        assert!(breakers.enter(&url).is_err());
        let other = "https://api.example.org:8443/".parse().expect("a URL");
        assert!(breakers.enter(&other).is_ok(), "another origin");
        clock.advance(Duration::from_secs(1));
        assert_eq!(breakers.state(&url).position, BreakerPosition::HalfOpen);
        let mut probe = breakers.enter(&url).expect("the probe");
        assert!(breakers.enter(&url).is_err(), "one probe at a time");
        probe.failed();
        drop(probe);
        assert_eq!(breakers.state(&url).retry_after, Some(30.0));
        clock.advance(Duration::from_secs(30));
        drop(breakers.enter(&url).expect("a probe that goes away"));
        let mut probe = breakers.enter(&url).expect("the next one");
        probe.alive();
        assert_eq!(breakers.state(&url).position, BreakerPosition::Closed);
        drop(probe);
        assert_eq!(breakers.states(), []);
    }

    #[test]
    fn a_probe_that_never_ends_blocks_nobody_for_ever() {
        let (breakers, clock, url) = breakers();
        fail(&breakers, &url, 5);
        clock.advance(Duration::from_secs(30));
        std::mem::forget(breakers.enter(&url).expect("the probe"));
        assert!(breakers.enter(&url).is_err());
        clock.advance(Duration::from_secs(30));
        assert!(breakers.enter(&url).is_ok());
    }

    #[test]
    fn what_was_under_way_when_it_opened_changes_nothing() {
        let (breakers, clock, url) = breakers();
        let (mut slow, mut good) = (
            breakers.enter(&url).expect("let through"),
            breakers.enter(&url).expect("let through"),
        );
        fail(&breakers, &url, 5);
        clock.advance(Duration::from_secs(10));
        slow.failed();
        good.alive();
        drop((slow, good));
        assert_eq!(breakers.state(&url).retry_after, Some(20.0));
    }

    #[test]
    fn by_hand() {
        let (breakers, clock, url) = breakers();
        breakers.force_open(&url, "maintenance, key sk-proj-0123456789abcdef0123");
        let state = breakers.state(&url);
        assert_eq!(state.position, BreakerPosition::Open);
        assert!(!state.reason.expect("a reason").contains("0123"));
        let refused = breakers.enter(&url).err().expect("refused");
        assert!(refused.message().contains("maintenance"), "{refused}");
        clock.advance(Duration::from_secs(30));
        breakers.enter(&url).expect("a probe").alive();
        assert_eq!(breakers.states(), []);
        breakers.force_open(&url, "again");
        breakers.reset(&url);
        assert!(breakers.enter(&url).is_ok());
    }
}
