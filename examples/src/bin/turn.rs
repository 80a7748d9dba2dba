//! One assistant turn in a process that may be killed at any point: the victim of the proof that nothing is doubled or lost.
//!
//! It takes the webhook call of `--call`, works until the inbox has nothing ready, and prints one line of JSON. Every write of the
//! store, every request and every reply is a point before and after which `--kill-at` or `--kill-point` ends the process as
//! `kill -9` does. The next run on the same store is given a later clock with `--clock-offset`, so that the leases of the killed one
//! have ended.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use clap::Parser;
use http::{HeaderMap, HeaderName, HeaderValue};
use nbhd_channels::testkit::TelegramCall;
use nbhd_core::clock::{Clock, SystemClock};
use nbhd_core::receipt::MemoryReceipts;
use nbhd_core::store::{SqliteStore, Store};
use nbhd_core::testkit::{
    FaultyStore, FaultyTransport, KillPlan, Sabotage, SabotagedStore, SabotagedTransport, TransportSabotage,
};
use nbhd_core::transport::{Socket, Transport};
use nbhd_core::{Host, Timestamp};
use nbhd_examples::assistant::Assistant;
use nbhd_examples::endurance::planned;
use nbhd_examples::world::World;
use nbhd_google::ConnectionState;
use serde_json::json;

/// One turn, which `--kill-at` ends early.
#[derive(Parser)]
struct Arguments {
    /// The line that the process of the stand-ins printed.
    #[arg(long)]
    world: PathBuf,
    /// The SQLite file.
    #[arg(long)]
    store: PathBuf,
    /// The webhook call, `{"headers": …, "body": …}`; without it only what is in the store is worked on.
    #[arg(long)]
    call: Option<PathBuf>,
    /// How many seconds the store's clock is ahead.
    #[arg(long, default_value_t = 0)]
    clock_offset: u64,
    /// The point at which the process is killed, from 1.
    #[arg(long)]
    kill_at: Option<u64>,
    /// The point by its name, and which time that it is passed: `request.write.before:3`. Places move from run to run, names less.
    #[arg(long, conflicts_with = "kill_at")]
    kill_point: Option<String>,
    /// Names every point that was passed.
    #[arg(long)]
    count_points: bool,
    /// A defect, for proofs that must find it.
    #[arg(long)]
    sabotage: Option<Defect>,
    /// What the tenant may spend in a day, such as `0.01 USD`, instead of the usual cap.
    #[arg(long)]
    day_cap: Option<String>,
    /// The tenant that pays.
    #[arg(long, default_value = "42")]
    tenant: String,
}

/// What a proof must notice.
#[derive(Clone, Copy, clap::ValueEnum)]
enum Defect {
    SendTwice,
    LogCredential,
    ForgetSumAtMost,
    IgnoreAbsent,
    SkipLease,
    IgnoreVersion,
    ForgetAdd,
    ForgetOpId,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let done = match runtime {
        Ok(runtime) => runtime.block_on(run(&arguments)),
        Err(error) => Err(error.into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let world: World = serde_json::from_str(&read(&arguments.world)?)?;
    let plan = match (&arguments.kill_point, arguments.kill_at) {
        (Some(point), _) => planned(point)?,
        (None, Some(at)) => KillPlan::at(at),
        (None, None) => KillPlan::counting(),
    };
    let receipts = Arc::new(MemoryReceipts::default());
    let host = host(arguments, &plan, receipts.clone())?;
    let account = world
        .google(&host)?
        .account(format!("tenant-{}", arguments.tenant));
    let router = match &arguments.day_cap {
        Some(cap) => world.router_within(&host, cap)?,
        None => world.router(&host)?,
    };
    // What a killed run held is counted at its bound from its deadline on.
    router.ledger().recover().await?;
    if account.status().await?.state != ConnectionState::Active {
        let token = nbhd_core::Secret::new(world.google.refresh_token.as_str());
        account.connect(token).await?;
    }
    let telegram = world.telegram(&host)?;
    let assistant = Assistant::new(
        &host,
        account,
        router,
        telegram,
        &arguments.tenant,
        "Europe/Berlin",
    )
    .with_own_address(&world.google.address);
    let mut accepted = None;
    if let Some(path) = &arguments.call {
        let call: TelegramCall = serde_json::from_str(&read(path)?)?;
        accepted = Some(assistant.receive(&headers(&call), call.body.as_bytes()).await?);
    }
    let turns = assistant.work().await?;
    let spend = assistant.router().remaining(assistant.scopes()).await?;
    let pending = host.inbox().pending().await?;
    host.store().close().await?;
    let answers: Vec<_> = turns.iter().filter_map(|turn| turn.sent.as_ref()).collect();
    let mut line = json!({
        "accepted": accepted.map(|reply| json!({"status": reply.status, "events": reply.accepted})),
        "handled": turns.iter().filter(|turn| turn.done).count(),
        "pending": pending,
        "deliveries": answers,
        "spend": spend,
        "operations": receipts.all().len(),
        "points": plan.count(),
    });
    if arguments.count_points {
        line["counts"] = json!(plan.counts());
        line["passed"] = json!(plan.passed());
    }
    println!("{line}");
    Ok(())
}

/// A host on the file, whose store and socket pass the points of the plan.
fn host(
    arguments: &Arguments,
    plan: &Arc<KillPlan>,
    receipts: Arc<MemoryReceipts>,
) -> nbhd_core::Result<Host> {
    let clock = Ahead {
        clock: SystemClock::default(),
        by: Duration::from_secs(arguments.clock_offset),
    };
    let mut store: Arc<dyn Store> = Arc::new(SqliteStore::new(&arguments.store)?.with_clock(Arc::new(clock)));
    let mut socket: Arc<dyn Transport> = Arc::new(Socket::default());
    socket = Arc::new(FaultyTransport::killing(socket, plan.clone()));
    match arguments.sabotage.map(planted) {
        Some(Planted::Store(sabotage)) => store = Arc::new(SabotagedStore::new(store, sabotage)),
        Some(Planted::Socket(sabotage)) => socket = Arc::new(SabotagedTransport::new(socket, sabotage)),
        None => {}
    }
    let store = Arc::new(FaultyStore::killing(store, plan.clone()));
    Ok(Host::builder(store)
        .with_socket(socket)
        .with_receipts(receipts)
        .with_vault(World::vault())
        .build())
}

enum Planted {
    Store(Sabotage),
    Socket(TransportSabotage),
}

fn planted(defect: Defect) -> Planted {
    match defect {
        Defect::SendTwice => Planted::Socket(TransportSabotage::SendTwice),
        Defect::LogCredential => Planted::Socket(TransportSabotage::LogCredential),
        Defect::ForgetSumAtMost => Planted::Store(Sabotage::ForgetSumAtMost),
        Defect::IgnoreAbsent => Planted::Store(Sabotage::IgnoreAbsent),
        Defect::SkipLease => Planted::Store(Sabotage::SkipLease),
        Defect::IgnoreVersion => Planted::Store(Sabotage::IgnoreVersion),
        Defect::ForgetAdd => Planted::Store(Sabotage::ForgetAdd),
        Defect::ForgetOpId => Planted::Store(Sabotage::ForgetOpId),
    }
}

/// The machine's clock, some time ahead.
#[derive(Debug)]
struct Ahead {
    clock: SystemClock,
    by: Duration,
}

#[async_trait]
impl Clock for Ahead {
    fn now(&self) -> Timestamp {
        self.clock.now() + self.by
    }

    fn monotonic(&self) -> Duration {
        self.clock.monotonic()
    }

    async fn sleep(&self, duration: Duration) {
        self.clock.sleep(duration).await;
    }
}

fn headers(call: &TelegramCall) -> HeaderMap {
    call.header_pairs()
        .filter_map(|(name, value)| {
            Some((
                name.parse::<HeaderName>().ok()?,
                HeaderValue::from_str(value).ok()?,
            ))
        })
        .collect()
}

fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("cannot read {}: {}", path.display(), error.kind()))
}
