//! Row `crash`: writers and servers are killed, and what was acknowledged is there, once.

use std::time::Duration;

use super::crew::{Crew, End, Plan, Setting, random};
use super::lossy;
use super::site::{self, Site};
use super::verdict::Verdict;
use crate::prove::row::{Defect, Need, Row, Seen};
use crate::prove::stage::Stage;

/// Every kind of write of the inbox, the ledger, the gate and the outbox, and the send itself.
const POINTS: [&str; 22] = [
    "accept.before",
    "accept.after",
    "claim.before",
    "claim.after",
    "attempt.before",
    "attempt.after",
    "begun.before",
    "begun.after",
    "gate.before",
    "gate.after",
    "hold.before",
    "hold.after",
    "settle.before",
    "settle.after",
    "effect.before",
    "effect.after",
    "sending.before",
    "sending.after",
    "send.before",
    "send.after",
    "sent.before",
    "sent.after",
];

/// How many processes work at the same time.
const AT_ONCE: usize = 3;

/// How often at most processes are sent to a point that too few have met: how far one comes is the moment's.
const ROUNDS: usize = 20;

pub(in crate::prove) const ROW: Row = Row {
    name: "crash",
    promise: "what was accepted is handled, each effect is there once, no cap is passed",
    attack: "writers are killed -9 before and after every kind of commit and at random, sleepers write after their lease, servers are killed; a log outside the store keeps what was acknowledged",
    needs: &[Need::Programs, Need::Servers],
    run,
    defects: &[
        Defect {
            name: "skip-lease",
            plants: "fencing off: whoever lost a lease may still write",
            shows_as: "wrote after epoch",
        },
        Defect {
            name: "split-commit",
            plants: "accepting is not atomic: two commits instead of one",
            shows_as: "was accepted and never handled",
        },
        Defect {
            name: "forget-sum-at-most",
            plants: "the store does not look at caps",
            shows_as: "more than the cap",
        },
        Defect {
            name: "worker-clock",
            plants: "the worker's clock decides leases, not the store's",
            shows_as: "a lease was lost before it ended",
        },
        Defect {
            name: "ignore-absent",
            plants: "dedupe keys do not hold",
            shows_as: "an effect is there more than once",
        },
    ],
};

/// How much is done to one store.
#[derive(Clone, Copy)]
struct Counts {
    at_each_point: u64,
    at_random: u64,
    servers: u64,
    events: u64,
}

impl Counts {
    fn of(stage: &Stage, defect: Option<&str>) -> Self {
        let (at_each_point, at_random, servers, events) = match (defect, stage.long) {
            (Some(_), _) => (2, 10, 0, 200),
            (None, false) => (5, 200, 5, 2_000),
            (None, true) => (50, 2_000, 50, 20_000),
        };
        Self {
            at_each_point,
            at_random,
            servers,
            events,
        }
    }

    fn halved(self) -> Self {
        Self {
            at_each_point: self.at_each_point.div_ceil(2),
            at_random: self.at_random / 2,
            servers: self.servers / 2,
            events: self.events / 2,
        }
    }
}

fn run(stage: &Stage, defect: Option<&'static str>) -> Result<Seen, String> {
    let folder = stage.folder("crash")?;
    let counts = Counts::of(stage, defect);
    let mut seen = Seen::default();
    let mut sites = vec![site::sqlite(&folder, "process")];
    if defect.is_none() {
        sites.push(site::sqlite(&folder, "power"));
    }
    sites.extend(site::servers()?);
    let one = |site: &Site| -> Result<(Seen, u64), String> {
        // SQLite is one store in two classes: in the ordinary form each gets its half.
        let counts = if site.server.is_none() && defect.is_none() && !stage.long {
            counts.halved()
        } else {
            counts
        };
        let mut seen = Seen::default();
        let kills = attack(stage, site, &counts, defect, &mut seen)?;
        Ok((seen, kills))
    };
    let mut kills = 0;
    // One after the other, so that each is alone with its killers; a planted defect is one for all.
    let all = match defect {
        None => sites.iter().map(one).collect(),
        Some(_) => site::at_once(&sites, one),
    };
    for (site, done) in sites.iter().zip(all) {
        let (one, killed) = done?;
        seen.merge(one);
        kills += killed;
        if defect.is_some() {
            seen.planted_in.push(site.name.to_owned());
        }
    }
    if defect.is_none() {
        lossy::show(stage, &mut seen)?;
    }
    seen.times = format!("{kills} kills -9");
    Ok(seen)
}

/// All of it on one store; how many were killed.
fn attack(
    stage: &Stage,
    site: &Site,
    counts: &Counts,
    defect: Option<&'static str>,
    seen: &mut Seen,
) -> Result<u64, String> {
    let mut setting = Setting::for_events(counts.events);
    setting.sabotage = defect;
    if defect.is_some() {
        setting.sleepers = 5;
        setting.lanes = 8;
        setting.lease = Duration::from_millis(250);
        setting.patience = Duration::from_secs(1);
    }
    site::create(stage, site)?;
    let crew = Crew::new(stage, site, setting);
    kill_at_points(&crew, counts)?;
    let random_kills: Vec<Plan> = (0..counts.at_random)
        .map(|_| Plan {
            end: End::After(Duration::from_micros(500 + random() % 40_000)),
            accept: 12,
        })
        .collect();
    crew.live_all(&random_kills, AT_ONCE)?;
    let (killed_servers, mut kills) = (kill_servers(&crew, counts)?, 0);
    drain(&crew, counts)?;

    let found = crew.read()?;
    let log = crew.log();
    let verdict = Verdict::of(&found, &log, &crew.setting);
    let name = format!("{} ({})", site.name, site.class);
    for violation in &verdict.violations {
        seen.violation(format!("{name}: {violation}"));
    }
    kills += log.kills() + killed_servers;
    seen.fact(format!("{name}, {}:", site.settings));
    seen.fact(format!(
        "  {} writers killed at {} points, {} at random, {killed_servers} servers killed",
        log.killed_at.values().sum::<u64>(),
        log.killed_at.len(),
        log.killed_at_random,
    ));
    seen.fact(format!(
        "  {} events accepted, {} handled once ({} offered again, {} late writers refused)",
        log.accepted.len(),
        verdict.effects,
        log.duplicates,
        log.sleepers,
    ));
    seen.fact(format!(
        "  sends: {} once, {} unknown, 0 twice; ledger {} of {} nano-USD, {} refused; gate {} of {}",
        log.sent.len(),
        verdict.unknown,
        verdict.counted,
        crew.setting.cap,
        log.refused,
        verdict.passed,
        crew.setting.gate,
    ));
    if defect.is_none() {
        expect_an_attack(seen, &name, counts, &log, &verdict);
    }
    Ok(kills)
}

/// A proof that attacked nothing proves nothing.
fn expect_an_attack(seen: &mut Seen, name: &str, counts: &Counts, log: &super::log::Log, verdict: &Verdict) {
    for point in POINTS {
        let killed = log.killed_at.get(point).copied().unwrap_or(0);
        seen.expect(killed >= counts.at_each_point, || {
            format!("{name}: only {killed} were killed at {point}")
        });
    }
    seen.expect(log.killed_at_random >= counts.at_random, || {
        format!("{name}: only {} were killed at random", log.killed_at_random)
    });
    seen.expect(verdict.effects >= counts.events, || {
        format!("{name}: only {} events were handled", verdict.effects)
    });
    seen.expect(log.refused > 0, || format!("{name}: nobody met the cap"));
    seen.expect(log.sleepers > 0, || format!("{name}: nobody wrote late"));
}

/// Kills at each point as often as is asked; whoever did not come by in one life is given another.
fn kill_at_points(crew: &Crew<'_>, counts: &Counts) -> Result<(), String> {
    for _ in 0..ROUNDS {
        let plans: Vec<Plan> = {
            let log = crew.log();
            let missing = |point: &str| {
                let killed = log.killed_at.get(point).copied().unwrap_or(0);
                counts.at_each_point.saturating_sub(killed)
            };
            let mut plans: Vec<Plan> = POINTS
                .iter()
                .flat_map(|point| (0..missing(point)).map(|_| *point))
                .map(|point| Plan {
                    end: End::At(point, 1 + random() % 3),
                    accept: 16,
                })
                .collect();
            plans.sort_by_cached_key(|_| random());
            plans
        };
        if plans.is_empty() {
            return Ok(());
        }
        crew.live_all(&plans, AT_ONCE)?;
    }
    Ok(())
}

/// Kills the server while writers write, and starts it again; how often.
fn kill_servers(crew: &Crew<'_>, counts: &Counts) -> Result<u64, String> {
    let Some(server) = &crew.site.server else {
        return Ok(0);
    };
    for _ in 0..counts.servers {
        let plan = Plan {
            end: End::Done,
            accept: 12,
        };
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..2)
                .map(|_| scope.spawn(|| crew.live(plan, &crew.site.address)))
                .collect();
            std::thread::sleep(Duration::from_micros(20_000 + random() % 100_000));
            server.kill()?;
            server.restart()?;
            for worker in workers {
                worker.join().map_err(|_| "a thread panicked".to_owned())??;
            }
            Ok::<(), String>(())
        })?;
    }
    Ok(counts.servers)
}

/// Nobody is killed any more: the rest is offered and everything is done.
fn drain(crew: &Crew<'_>, counts: &Counts) -> Result<(), String> {
    let accepted = crew.log().accepted.len() as u64;
    let missing = counts.events.saturating_sub(accepted);
    let plan = Plan {
        end: End::Done,
        accept: missing.div_ceil(AT_ONCE as u64),
    };
    crew.live_all(&[plan; AT_ONCE], AT_ONCE)?;
    crew.accept_the_rest()
}
