//! Row `many workers`: eight processes on one server, each behind a proxy of its own that delays, cuts and partitions.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use nbhd_core::testkit::Proxy;

use super::crew::{Crew, End, LOOK, Plan, Setting, Together, random};
use super::site::{self, Site};
use super::verdict::Verdict;
use crate::prove::row::{Defect, Need, Row, Seen};
use crate::prove::stage::Stage;

/// What the network adds to each round trip.
const DELAY: Duration = Duration::from_millis(5);

/// How many processes there are.
const WORKERS: usize = 8;

/// How long lanes are leased while throughput is measured: longer than an event takes on a busy machine.
const CALM: Duration = Duration::from_secs(2);

/// How long they are leased under torment: shorter than many partitions.
const SHORT: Duration = Duration::from_millis(500);

/// For how long it is waited until each of them has handled something.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long the callers wait for the store.
const DEADLINE: f64 = 1.0;

/// The most events that may be offered: nobody comes to the end of them.
const PLENTY: u64 = 1_000_000;

/// For how many events there is money and a gate while a defect is planted, and how often they are tormented at most.
const PLANTED: usize = 60;
const AGAIN: usize = 5;

pub(in crate::prove) const ROW: Row = Row {
    name: "many workers",
    promise: "many workers on one store: once, fenced, within caps, and each gets its share",
    attack: "8 processes with clocks hours apart, each behind a proxy that adds 5 ms to a round trip, cuts connections and partitions for longer than a lease",
    needs: &[Need::Programs, Need::Servers],
    run,
    defects: &[
        Defect {
            name: "skip-lease",
            plants: "fencing off: whoever lost a lease may still write",
            shows_as: "wrote after epoch",
        },
        Defect {
            name: "worker-clock",
            plants: "the worker's clock decides leases, not the store's",
            shows_as: "a lease was lost before it ended",
        },
        Defect {
            name: "forget-sum-at-most",
            plants: "the store does not look at caps",
            shows_as: "more than the cap",
        },
    ],
};

fn run(stage: &Stage, defect: Option<&'static str>) -> Result<Seen, String> {
    let mut seen = Seen::default();
    let mut faults = 0;
    // One after the other: each with as many workers as this machine bears.
    for site in site::servers()? {
        faults +=
            attack(stage, &site, defect, &mut seen).map_err(|reason| format!("{}: {reason}", site.name))?;
        if defect.is_some() {
            seen.planted_in.push(site.name.to_owned());
        }
    }
    seen.times = format!("{faults} cuts and partitions");
    Ok(seen)
}

fn attack(stage: &Stage, site: &Site, defect: Option<&'static str>, seen: &mut Seen) -> Result<u64, String> {
    let Some(server) = &site.server else {
        return Err("it has no server".to_owned());
    };
    site::create(stage, site)?;
    let window = Duration::from_secs(if stage.long { 20 } else { 2 });
    let chaos = Duration::from_secs(if stage.long { 120 } else { 4 });
    let mut setting = Setting::for_events(if defect.is_some() { PLANTED as u64 } else { 300 });
    setting.sabotage = defect;
    if defect.is_some() {
        setting.lanes = 8;
        setting.patience = Duration::from_secs(1);
    }
    let mut crew = Crew::new(stage, site, setting);
    let proxies: Vec<Proxy> = (0..WORKERS)
        .map(|_| Proxy::start(server.socket()))
        .collect::<Result<_, _>>()
        .map_err(|error| error.to_string())?;
    for proxy in &proxies {
        proxy.delay(DELAY);
    }
    if defect.is_none() {
        (crew.setting.lease, crew.setting.sleepers) = (CALM, 0);
        let mut rates = Vec::new();
        for workers in [1, 2, 4, 8] {
            let (rate, idle) = throughput(&crew, &proxies[..workers], window)?;
            rates.push((workers, rate));
            for life in idle {
                seen.violation(format!(
                    "{}: of {workers} workers e{life} handled nothing in {} s",
                    site.name,
                    PATIENCE.as_secs()
                ));
            }
        }
        let said: Vec<String> = rates
            .iter()
            .map(|(workers, rate)| format!("{workers}: {rate:.1}/s"))
            .collect();
        seen.fact(format!(
            "{} ({}, {}): events accepted, handled and sent by workers {}",
            site.name,
            site.class,
            site.settings,
            said.join(", ")
        ));
    }
    (crew.setting.lease, crew.setting.sleepers) = (SHORT, if defect.is_some() { 3 } else { 10 });
    let mut faults = torment(&crew, &proxies, chaos)?;
    // A planted defect shows once the money is spent, and a cut once somebody was waiting: on a busy machine that takes longer.
    let is_enough = || match defect {
        Some(_) => crew.log().accepted.len() >= PLANTED,
        None => !crew.log().errors.is_empty(),
    };
    for _ in 1..AGAIN {
        if is_enough() {
            break;
        }
        faults += torment(&crew, &proxies, chaos)?;
    }
    // Nobody is in the way any more: what is left is done, what was not acknowledged is offered again.
    let rest = Plan {
        end: End::Done,
        accept: 0,
    };
    crew.live_all(&[rest; 2], 2)?;
    if defect.is_none() {
        crew.accept_the_rest()?;
    }
    let found = crew.read()?;
    let log = crew.log();
    let verdict = Verdict::of(&found, &log, &crew.setting);
    for violation in &verdict.violations {
        seen.violation(format!("{}: {violation}", site.name));
    }
    seen.fact(format!(
        "  {faults} cuts and partitions: {} accepted, {} handled once, {} late writers refused, {} sends once, {} unknown; \
         ledger {} of {} nano-USD, gate {} of {}",
        log.accepted.len(),
        verdict.effects,
        log.sleepers,
        log.sent.len(),
        verdict.unknown,
        verdict.counted,
        crew.setting.cap,
        verdict.passed,
        crew.setting.gate,
    ));
    if defect.is_none() {
        seen.expect(!log.errors.is_empty(), || {
            format!("{}: no worker noticed the network", site.name)
        });
    }
    Ok(faults)
}

/// How many events so many workers handle in a second when nothing goes wrong, and which of them handled none.
fn throughput(crew: &Crew<'_>, proxies: &[Proxy], window: Duration) -> Result<(f64, Vec<u64>), String> {
    let handled = || (crew.log().handled.len(), Instant::now());
    let by_life = || crew.log().handled_by.clone();
    work_behind(crew, proxies, |lives| {
        let (before, began) = handled();
        std::thread::sleep(window);
        let (after, ended) = handled();
        let rate = (after - before) as f64 / (ended - began).as_secs_f64();
        let idle = |by: &BTreeMap<u64, u64>| -> Vec<u64> {
            lives
                .iter()
                .filter(|life| !by.contains_key(life))
                .copied()
                .collect()
        };
        // On a busy machine some come to it after the window.
        while !idle(&by_life()).is_empty() && began.elapsed() < PATIENCE {
            std::thread::sleep(LOOK);
        }
        (rate, idle(&by_life()))
    })
}

/// Cuts and partitions while eight work; how often.
fn torment(crew: &Crew<'_>, proxies: &[Proxy], chaos: Duration) -> Result<u64, String> {
    work_behind(crew, proxies, |_| {
        let (mut faults, began) = (0, Instant::now());
        while began.elapsed() < chaos {
            let proxy = &proxies[(random() % proxies.len() as u64) as usize];
            if random().is_multiple_of(3) {
                // Around the length of a lease and of a deadline.
                proxy.partition();
                std::thread::sleep(Duration::from_millis(300 + random() % 900));
                proxy.heal();
            } else {
                proxy.cut();
            }
            faults += 1;
            std::thread::sleep(Duration::from_millis(20 + random() % 80));
        }
        faults
    })
}

/// One worker behind each proxy; once all are ready, `meanwhile` beside them; then all are killed.
fn work_behind<T>(
    crew: &Crew<'_>,
    proxies: &[Proxy],
    meanwhile: impl FnOnce(&[u64]) -> T,
) -> Result<T, String> {
    let together = Together::default();
    std::thread::scope(|scope| {
        let workers: Vec<_> = proxies
            .iter()
            .map(|proxy| {
                let address = crew.site.through(proxy.address(), Some(DEADLINE));
                let together = &together;
                scope.spawn(move || crew.live_together(PLENTY, together, &address))
            })
            .collect();
        let done = meanwhile(&together.wait(proxies.len()));
        together.end();
        for worker in workers {
            worker.join().map_err(|_| "a thread panicked".to_owned())??;
        }
        Ok(done)
    })
}
