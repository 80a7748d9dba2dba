//! Row `store faults`: a store that hangs, refuses, dies within a command, loses its answer, comes back empty or jumps in
//! time gives its code within the deadline, and lets nobody do anything.

use nbhd_core::testkit::{Cut, Direction, Proxy};
use serde_json::{Value, json};

use super::caller::{Call, Caller, every_call};
use super::crew::random;
use super::file;
use super::site::{self, Server, Site};
use crate::prove::row::{Defect, Need, Row, Seen};
use crate::prove::stage::Stage;

/// The deadline that the callers give the store, and what a busy machine may add to it: what is looked for waits for ever.
pub(super) const DEADLINE: f64 = 0.4;
const SLACK: f64 = 10.0;

/// How far the server's clock jumps, in microseconds: two hours, more than is believed of a step.
const STEP: i64 = 2 * 3_600_000_000;

/// How many lanes are tried until one is leased.
const LANES: u64 = 100;

pub(in crate::prove) const ROW: Row = Row {
    name: "store faults",
    promise: "a store that fails is an error in time, never a yes",
    attack: "servers hang, refuse, lose the connection at every byte of a commit and of its answer, come back empty, jump in time; a file is locked, cannot grow, is gone, is replaced",
    needs: &[Need::Programs, Need::Servers],
    run,
    defects: &[
        Defect {
            name: "accept-empty",
            plants: "a server that comes back empty is accepted as fresh",
            shows_as: "an empty store allowed",
        },
        Defect {
            name: "forget-op-id",
            plants: "a commit that is repeated after a lost answer is made again",
            shows_as: "were made",
        },
    ],
};

/// What was done to all stores.
#[derive(Default)]
pub(super) struct Done {
    calls: u64,
    slowest: f64,
    /// Commits whose connection was cut, or whose process was killed.
    pub(super) cuts: u64,
    /// Those of them that were made, and nobody was told.
    pub(super) lost: u64,
    jumps: u64,
}

impl Done {
    fn add(&mut self, other: &Self) {
        self.calls += other.calls;
        self.slowest = self.slowest.max(other.slowest);
        self.cuts += other.cuts;
        self.lost += other.lost;
        self.jumps += other.jumps;
    }
}

fn run(stage: &Stage, defect: Option<&'static str>) -> Result<Seen, String> {
    let mut seen = Seen::default();
    let mut done = Done::default();
    let mut sites = site::servers()?;
    if defect != Some("accept-empty") {
        sites.push(site::sqlite(&stage.folder("store-faults/file")?, "power"));
    }
    // Most of it is waiting for deadlines: all at the same time.
    let all = site::at_once(&sites, |site| {
        let (mut seen, mut done) = (Seen::default(), Done::default());
        attack(stage, site, defect, &mut seen, &mut done)?;
        Ok((seen, done))
    });
    for (site, one) in sites.iter().zip(all) {
        let (said, did) = one?;
        seen.violations.extend(said.violations);
        let cut = match site.server {
            Some(_) => "cut",
            None => "left by a killed process",
        };
        seen.fact(format!(
            "{} ({}): {} calls failed as documented, {} commits {cut}",
            site.name, site.settings, did.calls, did.cuts
        ));
        done.add(&did);
    }
    seen.times = format!(
        "{} calls\n{} cut commits\n{} jumps",
        done.calls, done.cuts, done.jumps
    );
    seen.fact(format!(
        "slowest error {:.2} s with a deadline of {DEADLINE} s; {} commits had lost their answer, all were made once; \
         {} jumps of a clock ended no lease",
        done.slowest, done.lost, done.jumps
    ));
    if defect.is_some() {
        seen.planted_in = sites.iter().map(|site| site.name.to_owned()).collect();
    } else {
        seen.expect(done.lost > 0, || "no commit lost its answer".to_owned());
    }
    Ok(seen)
}

fn attack(
    stage: &Stage,
    site: &Site,
    defect: Option<&'static str>,
    seen: &mut Seen,
    done: &mut Done,
) -> Result<(), String> {
    let mut judge = Judge {
        site,
        seen,
        done,
        number: 0,
    };
    let Some(server) = &site.server else {
        return file::attack(stage, site, defect, &mut judge);
    };
    let proxy = Proxy::start(server.socket()).map_err(|error| error.to_string())?;
    let address = site.through(proxy.address(), Some(DEADLINE));
    site::create(stage, site)?;
    let mut caller = Caller::start(stage, site, &address, defect)?;
    let mut direct = Caller::start(stage, site, &site.through(server.socket(), Some(DEADLINE)), None)?;
    judge.all_succeed(&mut caller)?;
    if defect != Some("accept-empty") {
        cuts(stage, &proxy, &mut caller, &mut direct, &mut judge)?;
    }
    if defect.is_none() {
        proxy.partition();
        judge.all_fail(&mut caller, "a network that swallows everything")?;
        proxy.heal();
        judge.come_back(&mut caller)?;

        server.pause();
        judge.all_fail(&mut caller, "a server that hangs")?;
        server.resume();
        judge.come_back(&mut caller)?;

        proxy.refuse();
        judge.all_fail(&mut caller, "a network that refuses")?;
        proxy.heal();
        judge.come_back(&mut caller)?;

        server.kill()?;
        judge.all_fail(&mut caller, "a server that is gone, behind a proxy")?;
        judge.all_fail(&mut direct, "a server that is gone")?;
        server.restart()?;
        judge.come_back(&mut caller)?;
        judge.come_back(&mut direct)?;
        judge.jumps(&mut caller, &mut |_, micros| server.shift_clock(micros))?;
    }
    if defect != Some("forget-op-id") {
        empty(
            stage,
            server.as_ref(),
            site,
            &mut caller,
            &mut direct,
            defect,
            &mut judge,
        )?;
    }
    Ok(())
}

/// The store is emptied: neither who knew it nor who comes anew takes it for a fresh one.
fn empty(
    stage: &Stage,
    server: &dyn Server,
    site: &Site,
    caller: &mut Caller,
    direct: &mut Caller,
    defect: Option<&'static str>,
    judge: &mut Judge<'_>,
) -> Result<(), String> {
    server.empty()?;
    judge.all_fail(caller, "an empty store")?;
    if defect.is_some() {
        return Ok(());
    }
    let mut newcomer = Caller::start(stage, site, &site.through(server.socket(), Some(DEADLINE)), None)?;
    judge.all_fail(&mut newcomer, "an empty store")?;
    // Somebody makes it anew: those who come now may use it, those who knew the old one may not take it for that.
    site::create(stage, site)?;
    judge.all_succeed(&mut newcomer)?;
    judge.all_fail(direct, "another store in the place of an empty store")
}

/// Holds what callers are told against what they have to be told.
pub(super) struct Judge<'a> {
    site: &'a Site,
    seen: &'a mut Seen,
    pub(super) done: &'a mut Done,
    number: u64,
}

impl Judge<'_> {
    pub(super) fn violation(&mut self, text: &str) {
        self.seen.violation(format!("{}: {text}", self.site.name));
    }

    fn calls(&mut self) -> Vec<Call> {
        self.number += 1;
        every_call(self.number)
    }

    pub(super) fn all_succeed(&mut self, caller: &mut Caller) -> Result<(), String> {
        for kind in 0..self.calls().len() {
            // Under a new name each time: what was begun, and not answered in time, is held for a lease.
            caller.until(|| self.calls().swap_remove(kind).command)?;
        }
        Ok(())
    }

    pub(super) fn come_back(&mut self, caller: &mut Caller) -> Result<(), String> {
        caller.until_it_succeeds(&json!({"call": "now"}))?;
        self.all_succeed(caller)
    }

    /// Every call has its code, in time, and allows nothing.
    pub(super) fn all_fail(&mut self, caller: &mut Caller, what: &str) -> Result<(), String> {
        for call in self.calls() {
            self.fails(caller, what, &call)?;
        }
        Ok(())
    }

    /// The same where what is there can still be read.
    pub(super) fn writes_fail(&mut self, caller: &mut Caller, what: &str) -> Result<(), String> {
        for call in self.calls() {
            if call.reads {
                caller.until_it_succeeds(&call.command)?;
            } else {
                self.fails(caller, what, &call)?;
            }
        }
        Ok(())
    }

    fn fails(&mut self, caller: &mut Caller, what: &str, call: &Call) -> Result<(), String> {
        let name = call.name;
        let sent = caller.sent.len();
        let answer = caller.call(&call.command)?;
        if answer.ok.is_some() {
            let kind = if call.allows { "allowed" } else { "answered" };
            self.violation(&format!("{what} {kind} {name}"));
            return Ok(());
        }
        self.done.calls += 1;
        self.done.slowest = self.done.slowest.max(answer.seconds);
        if answer.code != "store_unavailable" {
            self.violation(&format!("{what}: {name} answered {}", answer.code));
        }
        if answer.seconds > DEADLINE + SLACK {
            self.violation(&format!("{what}: {name} took {:.2} s", answer.seconds));
        }
        if caller.sent.len() > sent {
            self.violation(&format!("{what}: something was sent"));
        }
        Ok(())
    }

    /// The store's clock is shifted while a process runs: a step ahead is not believed, a step back is held, no lease ends
    /// by it.
    pub(super) fn jumps(
        &mut self,
        caller: &mut Caller,
        shift: &mut dyn FnMut(&mut Caller, i64) -> Result<(), String>,
    ) -> Result<(), String> {
        let now = |caller: &mut Caller| {
            let answer = caller.until_it_succeeds(&json!({"call": "now"}))?;
            answer.as_i64().ok_or("a time is a number".to_owned())
        };
        let mut last = now(caller)?;
        let claim = lease(caller)?;
        for (micros, what) in [(STEP, "ahead"), (-STEP, "back"), (0, "where it was")] {
            shift(caller, micros)?;
            let next = now(caller)?;
            if next < last {
                self.violation(&format!("time went back when the clock stepped {what}"));
            }
            if next - last > STEP / 2 {
                self.violation(&format!("a clock that stepped {what} was believed at once"));
            }
            if !caller.until_it_succeeds(&claim)?.is_null() {
                self.violation(&format!("a lease ended because the clock stepped {what}"));
            }
            self.done.jumps += 1;
            last = last.max(next);
        }
        self.all_succeed(caller)
    }

    /// Every commit was repeated, whatever had become of it: each was made, once.
    pub(super) fn each_is_made_once(&mut self, caller: &mut Caller, made: i64) -> Result<(), String> {
        let sum = caller
            .until_it_succeeds(&json!({"call": "sum", "key": "counted"}))?
            .as_i64()
            .unwrap_or(0);
        if sum != made {
            self.violation(&format!("of {made} commits, each repeated, {sum} were made"));
        }
        Ok(())
    }
}

/// Claims a lane of its own; the command that claims it again.
fn lease(caller: &mut Caller) -> Result<Value, String> {
    for number in 0..LANES {
        // A new lane each time: one whose answer came too late is taken, by nobody who knows of it.
        let claim = json!({"call": "claim", "lane": format!("clock-{number}")});
        if caller.call(&claim)?.ok.is_some_and(|epoch| !epoch.is_null()) {
            return Ok(claim);
        }
    }
    Err(format!("none of {LANES} lanes could be claimed"))
}

/// Commits are cut at bytes of themselves and of their answers, by a connection that closes and by one that goes silent.
fn cuts(
    stage: &Stage,
    proxy: &Proxy,
    caller: &mut Caller,
    direct: &mut Caller,
    judge: &mut Judge<'_>,
) -> Result<(), String> {
    let add = |op_id: &str| json!({"call": "add", "key": "counted", "op_id": op_id});
    let passed = |proxy: &Proxy| {
        (
            proxy.passed(Direction::ToServer),
            proxy.passed(Direction::ToClient),
        )
    };
    caller.until_it_succeeds(&add("first"))?;
    let before = passed(proxy);
    caller.until_it_succeeds(&add("second"))?;
    let after = passed(proxy);
    let mut made = 2_i64;
    let steps = if stage.long { 400 } else { 12 };
    for (direction, bytes) in [
        (Direction::ToServer, after.0 - before.0),
        (Direction::ToClient, after.1 - before.1),
    ] {
        for cut in [Cut::Close, Cut::Silence] {
            let steps = match cut {
                Cut::Close => steps,
                // Each costs a deadline.
                Cut::Silence => steps / 6,
            };
            let places = steps.min(bytes);
            for place in 0..places {
                // Spread over the exchange, the first and the last byte among them.
                let at = place * (bytes - 1) / (places - 1).max(1);
                let op_id = format!("{direction:?}-{cut:?}-{at}-{}", random());
                caller.until_it_succeeds(&json!({"call": "now"}))?;
                proxy.cut_after(direction, at, cut);
                let first = caller.call(&add(&op_id))?;
                proxy.heal();
                judge.done.cuts += 1;
                let sum = direct.until_it_succeeds(&json!({"call": "sum", "key": "counted"}))?;
                let was_made = sum.as_i64() == Some(made + 1);
                if first.ok.is_none() {
                    judge.done.lost += u64::from(was_made);
                    if first.code != "store_unavailable" {
                        judge.violation(&format!("a cut commit answered {}", first.code));
                    }
                    if first.seconds > DEADLINE + SLACK {
                        judge.violation(&format!("a cut commit took {:.2} s", first.seconds));
                    }
                    if was_made && first.outcome == "not_sent" {
                        judge.violation("a commit was called not sent, and was made");
                    }
                }
                caller.until_it_succeeds(&add(&op_id))?;
                made += 1;
                let again = caller.until_it_succeeds(&add(&op_id))?;
                if let Some(answer) = &first.ok
                    && *answer != again
                {
                    judge.violation(&format!("a commit answered {answer}, and repeated {again}"));
                }
            }
        }
    }
    judge.each_is_made_once(direct, made)
}
