//! The life itself: accepts, handles, pays and sends, until nothing is left or somebody ends it.

use std::collections::VecDeque;
use std::fmt::Display;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use clap::Args;
use nbhd_core::inbox::{NewEvent, Work};
use nbhd_core::outbox::{Intent, NewIntent, Part, SendPart};
use nbhd_core::store::{Committed, Guard, Range, Store, Write};
use nbhd_core::testkit::KillPlan;
use nbhd_core::{Code, Error, Result};
use nbhd_llm::budget::{Bound, HoldRequest, Scope, Settled};
use nbhd_llm::price::NanoUsd;
use serde_json::{Map, json};

use super::place::{EFFECTS, Place, Standing, TENANTS, WORKED};
use super::say;

/// What an attempt holds, and what its bill says in the end.
const HELD: u64 = 100;
const BILLED: i64 = 60;

/// A hold that nobody settles becomes provisional after this.
const HOLD_LIFETIME: Duration = Duration::from_millis(500);

/// How long to stand back when there is nothing to do, or the store is away.
const PAUSE: Duration = Duration::from_millis(10);

/// How often a commit is repeated whose answer was lost.
const REPEATS: usize = 3;

/// One life.
#[derive(Debug, Clone, Args)]
pub struct Life {
    /// Its name: its events are called after it.
    #[arg(long, default_value = "life")]
    pub life: String,
    /// How many new events are offered to it.
    #[arg(long, default_value_t = 0)]
    pub accept: u64,
    /// Events that are offered once more, because nobody said that they were accepted, or though somebody did.
    #[arg(long, value_delimiter = ',')]
    pub again: Vec<String>,
    /// Every so many events one is handled by somebody who falls asleep until the lease has ended; 0 for never.
    #[arg(long, default_value_t = 0)]
    pub sleepers: u64,
    /// The point at which the process is killed, and when: `accept.after:2` is after the second acceptance.
    #[arg(long)]
    pub kill_at: Option<String>,
    /// Goes on when nothing is left to do, until it is killed.
    #[arg(long)]
    pub linger: bool,
    /// For how long it waits, in milliseconds, for something that is left to become possible.
    #[arg(long, default_value_t = 20_000)]
    pub patience: u64,
}

/// Lives in `place`. Returns when nothing is left to do, unless it lingers.
pub async fn live(place: &Place, life: &Life) -> Result<()> {
    let plan = life.kill_at.as_deref().map(planned).transpose()?;
    let worker = Worker {
        standing: place.stand(plan.clone())?,
        place: place.clone(),
        plan,
        handled: Arc::default(),
        every: life.sleepers,
    };
    say("ready");
    let mut offered: VecDeque<String> = life.again.iter().cloned().collect();
    offered.extend((0..life.accept).map(|n| format!("{}-{n}", life.life)));
    let mut sleepers = Vec::new();
    let patience = Duration::from_millis(life.patience);
    let mut busy = Instant::now();
    loop {
        let mut idle = true;
        if let Some(name) = offered.front()
            && worker.accept(name).await
        {
            offered.pop_front();
            idle = false;
        }
        match worker.standing.inbox.claim().await {
            Ok(Some(work)) => {
                idle = false;
                let number = worker.handled.fetch_add(1, Ordering::Relaxed) + 1;
                if worker.every > 0 && number.is_multiple_of(worker.every) {
                    let worker = worker.clone();
                    sleepers.push(tokio::spawn(async move { worker.handle(work, true).await }));
                } else {
                    worker.handle(work, false).await;
                }
            }
            Ok(None) => {}
            Err(error) => worker.report("claim", &error),
        }
        idle &= !worker.send().await;
        if !idle {
            busy = Instant::now();
            continue;
        }
        let done = offered.is_empty() && worker.is_done().await;
        if !life.linger && (done || busy.elapsed() > patience) {
            break;
        }
        tokio::time::sleep(PAUSE).await;
    }
    for sleeper in sleepers {
        let _ = sleeper.await;
    }
    worker.standing.host.store().close().await?;
    say("end");
    Ok(())
}

/// A plan from `name:n`, that kills at the point of this name when it is passed for the `n`-th time.
pub fn planned(text: &str) -> Result<Arc<KillPlan>> {
    let (point, times) = text
        .split_once(':')
        .ok_or_else(|| Error::new(Code::InvalidInput, "a point is `name:n`"))?;
    let times = times
        .parse()
        .map_err(|_| Error::new(Code::InvalidInput, "how often is a number"))?;
    Ok(KillPlan::at_point(point, times))
}

#[derive(Debug, Clone)]
struct Worker {
    standing: Standing,
    place: Place,
    plan: Option<Arc<KillPlan>>,
    handled: Arc<AtomicU64>,
    every: u64,
}

impl Worker {
    /// Offers one event, as a platform does that wants to be told. `true` when it is off our hands.
    async fn accept(&self, name: &str) -> bool {
        say(&format!("o {name}"));
        let number: u64 = name.bytes().fold(7, |sum: u64, byte| {
            sum.wrapping_mul(31).wrapping_add(u64::from(byte))
        });
        let event = NewEvent {
            provider: "pigeon".to_owned(),
            instance: "one".to_owned(),
            dedupe: vec![name.to_owned(), format!("{name}/alias")],
            lane: (number % self.place.lanes).to_string(),
            data: Map::from_iter([("name".to_owned(), json!(name))]),
        };
        let began = Instant::now();
        match self.standing.inbox.accept(event).await {
            Ok(accepted) => {
                let word = if accepted.duplicate { "d" } else { "a" };
                say(&format!("{word} {name}"));
                true
            }
            Err(error) => {
                self.report_after("accept", &error, began);
                false
            }
        }
    }

    async fn handle(&self, work: Work, sleepy: bool) {
        let began = Instant::now();
        if let Err(error) = self.try_to_handle(&work, sleepy).await {
            self.report_after("handle", &error, began);
            if error.code() == Code::StoreConflict {
                self.look_for_thieves(&work).await;
            }
        }
    }

    async fn try_to_handle(&self, work: &Work, sleepy: bool) -> Result<()> {
        let event = work.event();
        let name = event.data["name"].as_str().unwrap_or_default().to_owned();
        let number: u64 = event.id.bytes().map(u64::from).sum();
        let lease = work.lease();
        let worked = |what: &str| Write::Append {
            index: format!("{WORKED}/{}", event.lane),
            member: format!("{what}|{}|{name}|{}", lease.epoch, event.attempt),
        };
        let begun = nbhd_core::store::Commit::new()
            .guard(Guard::Lease {
                lane: lease.lane.clone(),
                epoch: lease.epoch,
            })
            .write(worked("begun"));
        if let Committed::Refused(_) = self.standing.host.store().commit(begun).await? {
            return Err(Error::new(Code::StoreConflict, "overtaken before it began"));
        }
        if number.is_multiple_of(3) {
            let pass = self.place.pass(format!("{name}|{}", event.attempt));
            if let Committed::Done { .. } = self.standing.host.store().commit(pass).await? {
                say(&format!("g {name}|{}", event.attempt));
            }
        }
        self.pay(number).await?;
        if number.is_multiple_of(11) && event.attempt == 1 {
            return work
                .fail(&Error::new(Code::ProviderOverloaded, "not today"))
                .await;
        }
        if sleepy {
            tokio::time::sleep(Duration::from_millis(self.place.lease * 3 / 2)).await;
        } else if number.is_multiple_of(5) {
            work.renew().await?;
        }
        let sends = || {
            vec![NewIntent {
                key: name.clone(),
                channel: "pigeon".to_owned(),
                account: "one".to_owned(),
                parts: vec![json!({"about": name})],
            }]
        };
        let effect = [
            worked("effect"),
            Write::Add {
                key: EFFECTS.to_owned(),
                delta: 1,
            },
        ];
        for round in 0.. {
            match work.commit_with(sends(), &effect).await {
                Ok(()) => break,
                Err(error) if error.code() == Code::StoreConflict || round == REPEATS => {
                    if sleepy && error.code() == Code::StoreConflict {
                        say(&format!("z {name}"));
                    }
                    return Err(error);
                }
                Err(error) => {
                    self.report("commit", &error);
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
        say(&format!("e {name}"));
        Ok(())
    }

    /// Holds money, spends it and settles; where the cap is reached, goes on without.
    async fn pay(&self, number: u64) -> Result<()> {
        let tenant: Scope = format!("tenant:{}", number % TENANTS).parse()?;
        let request = HoldRequest::new("test", "model", bound()?, HELD)
            .with_scopes([tenant, "global".parse()?])
            .with_lifetime(HOLD_LIFETIME);
        let mut hold = match self.standing.ledger.hold(request).await {
            Ok(hold) => hold,
            Err(error) if error.code() == Code::BudgetExceeded => {
                say("r");
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let id = hold.id().to_owned();
        say(&format!("h {id} {HELD}"));
        hold.mark_sent();
        if number.is_multiple_of(4) {
            self.look_at_caps().await?;
        }
        if number.is_multiple_of(7) {
            let bound = NanoUsd(HELD as i64);
            hold.settle(Settled::Provisional(bound)).await
        } else {
            hold.settle(Settled::Final(NanoUsd(BILLED))).await?;
            say(&format!("f {id} {BILLED}"));
            Ok(())
        }
    }

    async fn look_at_caps(&self) -> Result<()> {
        for window in self.standing.ledger.remaining(&["global".parse()?]).await? {
            let counted = window.settled.0 + window.provisional.0 + window.held.0;
            if counted > window.cap.0 {
                say(&format!("over {} {counted} {}", window.scope, window.cap.0));
            }
        }
        Ok(())
    }

    /// Sends one thing that waits. `true` when there was one.
    async fn send(&self) -> bool {
        let intents = match self.standing.outbox.undelivered(2).await {
            Ok(intents) => intents,
            Err(error) => {
                self.report("undelivered", &error);
                return false;
            }
        };
        let platform = Platform(self.plan.clone());
        for intent in intents {
            let began = Instant::now();
            let sent = self
                .standing
                .outbox
                .resume(&intent.channel, &intent.account, &intent.key, &platform)
                .await;
            match sent {
                Ok(now) if now != intent => return true,
                Ok(_) => {}
                // Somebody else has it: the next one.
                Err(error) if error.code() == Code::StoreConflict => {}
                Err(error) => {
                    self.report_after("send", &error, began);
                    return false;
                }
            }
        }
        false
    }

    async fn is_done(&self) -> bool {
        let open = self.standing.host.store().count("outbox/open");
        matches!((self.standing.inbox.pending().await, open.await), (Ok(0), Ok(0)))
    }

    /// A lease was lost: its time has to be over by the store's own clock, or somebody took it who had no right.
    async fn look_for_thieves(&self, work: &Work) {
        let lease = work.lease();
        let Ok(now) = self.standing.honest.now().await else {
            return;
        };
        if now < lease.expires_at {
            say(&format!("stolen {} {}", lease.lane, lease.epoch));
        }
    }

    fn report(&self, place: &str, error: &Error) {
        report(place, error, None);
    }

    fn report_after(&self, place: &str, error: &Error, began: Instant) {
        report(place, error, Some(began.elapsed()));
    }
}

fn report(place: impl Display, error: &Error, took: Option<Duration>) {
    let outcome = json!(error.outcome());
    say(&format!(
        "x {place} {} {} {:.3}",
        error.code().name(),
        outcome.as_str().unwrap_or_default(),
        took.unwrap_or_default().as_secs_f64()
    ));
}

/// The platform: its log is our output, which outlives us.
struct Platform(Option<Arc<KillPlan>>);

#[async_trait]
impl SendPart for Platform {
    async fn send(&self, intent: &Intent, _: &Part) -> Result<serde_json::Value> {
        if let Some(plan) = &self.0 {
            plan.hit("send.before");
        }
        say(&format!("s {}", intent.key));
        if let Some(plan) = &self.0 {
            plan.hit("send.after");
        }
        Ok(json!({"message_id": intent.key}))
    }
}

/// One nano-USD for each token of the output: the cap is the amount.
pub(super) fn bound() -> Result<Bound> {
    let bound = json!({
        "input_tokens": 0,
        "uncapped_output": 0,
        "rates": {"input": 0, "output": 1_000_000},
        "price": "test/model@2026-01-01",
    });
    serde_json::from_value(bound).map_err(|_| Error::new(Code::Internal, "the bound is not in its form"))
}

/// Everything in an index, a piece at a time.
pub(super) async fn whole(store: &dyn Store, index: &str) -> Result<Vec<nbhd_core::store::Entry>> {
    const PIECE: usize = 1_000;
    let mut all: Vec<nbhd_core::store::Entry> = Vec::new();
    loop {
        let from = all.last().map_or(i64::MIN, |entry| entry.score.saturating_add(1));
        let range = Range {
            from,
            to: i64::MAX,
            limit: PIECE,
        };
        let piece = store.scan(index, range).await?;
        let last = piece.len() < PIECE;
        all.extend(piece);
        if last {
            return Ok(all);
        }
    }
}
