//! Processes that work on one store, several at the same time, each until its plan ends it.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use nbhd_core::id::{Random, SystemRandomness};
use serde_json::Value;

use super::log::Log;
use super::site::Site;
use crate::prove::program;
use crate::prove::stage::Stage;

/// How long a process may be silent: one that works says so at every step.
const LIMIT: Duration = Duration::from_secs(120);

/// How often it is looked whether somebody is ready or has to end.
pub(super) const LOOK: Duration = Duration::from_millis(5);

/// How many lives it may take at most until everything that was offered is accepted.
const LIVES: usize = 50;

/// How many events are offered once more to one process.
const AGAIN: usize = 4;

/// What all processes of one attack have in common.
#[derive(Clone)]
pub(super) struct Setting {
    /// The cap of all tenants together, in nano-USD.
    pub(super) cap: i64,
    /// How many may pass the gate.
    pub(super) gate: u64,
    /// How many lanes there are.
    pub(super) lanes: u64,
    /// How long lanes are leased.
    pub(super) lease: Duration,
    /// Every so many events somebody sleeps until its lease has ended; 0 for never.
    pub(super) sleepers: u64,
    /// For how long a process waits for something that is left to become possible.
    pub(super) patience: Duration,
    /// The planted defect.
    pub(super) sabotage: Option<&'static str>,
}

impl Setting {
    /// For about so many events: caps that are met on the way.
    pub(super) fn for_events(events: u64) -> Self {
        Self {
            // An attempt is billed 60 to 100; six in ten get money.
            cap: (events * 40) as i64,
            gate: events / 5 + 1,
            lanes: 48,
            lease: Duration::from_secs(1),
            sleepers: 25,
            patience: Duration::from_secs(20),
            sabotage: None,
        }
    }
}

/// How a process ends.
#[derive(Clone, Copy)]
pub(super) enum End {
    /// It is killed when it passes this point for so many times.
    At(&'static str, u64),
    /// It is killed so long after it is ready.
    After(Duration),
    /// When nothing is left to do.
    Done,
}

/// Processes that work beside each other, from when the last of them is ready until all are told to end.
#[derive(Default)]
pub(super) struct Together {
    ready: Mutex<Vec<u64>>,
    gone: AtomicUsize,
    over: AtomicBool,
}

impl Together {
    /// Waits until so many are ready, or have failed; the lives of those that are ready.
    pub(super) fn wait(&self, all: usize) -> Vec<u64> {
        loop {
            let ready = self.ready.lock().expect("no thread of this row panics").clone();
            if ready.len() + self.gone.load(Ordering::Relaxed) >= all {
                return ready;
            }
            std::thread::sleep(LOOK);
        }
    }

    fn is_ready(&self, life: u64) {
        self.ready
            .lock()
            .expect("no thread of this row panics")
            .push(life);
    }

    fn wait_for_the_end(&self) {
        while !self.over.load(Ordering::Relaxed) {
            std::thread::sleep(LOOK);
        }
    }

    /// Ends them all.
    pub(super) fn end(&self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

/// One process to come.
#[derive(Clone, Copy)]
pub(super) struct Plan {
    pub(super) end: End,
    /// How many new events are offered to it.
    pub(super) accept: u64,
}

/// What ends a process.
#[derive(Clone, Copy)]
enum Until<'a> {
    Planned(End),
    Told(&'a Together),
}

/// Who works on one store.
pub(super) struct Crew<'a> {
    pub(super) stage: &'a Stage,
    pub(super) site: &'a Site,
    pub(super) setting: Setting,
    log: Mutex<Log>,
    lives: AtomicU64,
}

impl<'a> Crew<'a> {
    pub(super) fn new(stage: &'a Stage, site: &'a Site, setting: Setting) -> Self {
        Self {
            stage,
            site,
            setting,
            log: Mutex::default(),
            lives: AtomicU64::new(0),
        }
    }

    pub(super) fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().expect("no thread of this row panics")
    }

    /// Lives all plans, `at_once` at the same time.
    pub(super) fn live_all(&self, plans: &[Plan], at_once: usize) -> Result<(), String> {
        let next = AtomicUsize::new(0);
        let failed = Mutex::new(None);
        std::thread::scope(|scope| {
            for _ in 0..at_once {
                scope.spawn(|| {
                    while let Some(plan) = plans.get(next.fetch_add(1, Ordering::Relaxed)) {
                        if let Err(reason) = self.live(*plan, &self.site.address) {
                            *failed.lock().expect("no thread of this row panics") = Some(reason);
                            return;
                        }
                    }
                });
            }
        });
        match failed.into_inner().expect("no thread of this row panics") {
            None => Ok(()),
            Some(reason) => Err(reason),
        }
    }

    /// Offers what was never acknowledged until it is: nobody is in the way any more.
    pub(super) fn accept_the_rest(&self) -> Result<(), String> {
        let rest = Plan {
            end: End::Done,
            accept: 0,
        };
        for _ in 0..LIVES {
            if self.log().open.is_empty() {
                return Ok(());
            }
            self.live(rest, &self.site.address)?;
        }
        let open = &self.log().open;
        match open.first() {
            None => Ok(()),
            Some(one) => Err(format!(
                "{} events, {one} among them, were not accepted in {LIVES} lives",
                open.len()
            )),
        }
    }

    /// One process, from its birth to its end, on the store at `address`.
    pub(super) fn live(&self, plan: Plan, address: &str) -> Result<(), String> {
        self.live_until(plan.accept, Until::Planned(plan.end), address)
    }

    /// One of several processes that end when all are told to.
    pub(super) fn live_together(
        &self,
        accept: u64,
        together: &Together,
        address: &str,
    ) -> Result<(), String> {
        let lived = self.live_until(accept, Until::Told(together), address);
        together.gone.fetch_add(1, Ordering::Relaxed);
        lived
    }

    fn live_until(&self, accept: u64, until: Until<'_>, address: &str) -> Result<(), String> {
        let life = self.lives.fetch_add(1, Ordering::Relaxed);
        let again = self.log().again(AGAIN, random());
        let mut command = self.program(address);
        command.args(["live", "--life", &format!("e{life}")]);
        command.args(["--accept", &accept.to_string()]);
        command.args(["--sleepers", &self.setting.sleepers.to_string()]);
        command.args(["--patience", &self.setting.patience.as_millis().to_string()]);
        if !again.is_empty() {
            command.args(["--again", &again.join(",")]);
        }
        match until {
            Until::Planned(End::At(point, times)) => {
                command.args(["--kill-at", &format!("{point}:{times}")]);
            }
            Until::Planned(End::After(_)) | Until::Told(_) => {
                command.arg("--linger");
            }
            Until::Planned(End::Done) => {}
        }
        self.run(life, command, until, &again)
    }

    fn run(&self, life: u64, mut command: Command, until: Until<'_>, again: &[String]) -> Result<(), String> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("a worker does not start: {error}"))?;
        let (Some(out), Some(mut errors)) = (child.stdout.take(), child.stderr.take()) else {
            return Err("a worker has no output".to_owned());
        };
        let (ready, is_ready) = mpsc::channel();
        let (step, is_stepping) = mpsc::channel();
        let (status, said) = std::thread::scope(|scope| {
            let reader = scope.spawn(move || {
                for line in BufReader::new(out).split(b'\n') {
                    let Ok(line) = line else { break };
                    let line = String::from_utf8_lossy(&line);
                    if line == "ready" {
                        let _ = ready.send(());
                    }
                    self.log().take(life, &line);
                    let _ = step.send(());
                }
            });
            let said = scope.spawn(move || {
                let mut text = String::new();
                let _ = errors.read_to_string(&mut text);
                text
            });
            match until {
                Until::Planned(End::After(time)) => {
                    let _ = is_ready.recv_timeout(LIMIT);
                    std::thread::sleep(time);
                    let _ = child.kill();
                }
                Until::Told(together) => {
                    if is_ready.recv_timeout(LIMIT).is_ok() {
                        together.is_ready(life);
                        together.wait_for_the_end();
                    }
                    let _ = child.kill();
                }
                Until::Planned(End::At(..) | End::Done) => {}
            }
            // The output ends when the process does; one that hangs is ended.
            let watch = scope.spawn(move || {
                let hung = loop {
                    match is_stepping.recv_timeout(LIMIT) {
                        Ok(()) => {}
                        Err(end) => break end == mpsc::RecvTimeoutError::Timeout,
                    }
                };
                if hung {
                    let _ = child.kill();
                }
                (child.wait(), hung)
            });
            let _ = reader.join();
            let said = said.join().unwrap_or_default();
            let (status, hung) = watch.join().map_err(|_| "a thread panicked".to_owned())?;
            if hung {
                return Err(format!(
                    "a worker was silent for {} s and was ended",
                    LIMIT.as_secs()
                ));
            }
            Ok((status.map_err(|error| error.to_string())?, said))
        })?;
        let mut log = self.log();
        for name in again {
            if !log.accepted.contains(name) {
                log.open.insert(name.clone());
            }
        }
        match (status.signal(), until) {
            (Some(9), Until::Planned(End::At(point, _))) => {
                *log.killed_at.entry(point.to_owned()).or_default() += 1;
            }
            (Some(9), Until::Planned(End::After(_)) | Until::Told(_)) => log.killed_at_random += 1,
            (None, _) if status.success() => {}
            _ => {
                let last = said.lines().last().unwrap_or_default();
                return Err(format!("a worker ended with {status}: {last}"));
            }
        }
        Ok(())
    }

    /// What is in the store, read by a process that had no part in it.
    pub(super) fn read(&self) -> Result<Value, String> {
        let ended = program::run(self.program(&self.site.address).arg("check"), LIMIT)?;
        ended.json().map_err(|how| format!("the reader: {how}"))
    }

    /// The program with what all of them are told.
    fn program(&self, address: &str) -> Command {
        let setting = &self.setting;
        let mut command = self.stage.program("store_worker");
        command.args(["--store", address]);
        match self.site.class {
            "lossy" => command.arg("--lossy"),
            class => command.args(["--class", class]),
        };
        if self.site.server.is_some() {
            // No worker's clock counts: each has one that is hours off.
            let hours = random() % 9;
            command.arg(format!("--clock-offset={}", hours as i64 * 3_600 - 4 * 3_600));
        }
        command.args(["--cap", &setting.cap.to_string()]);
        command.args(["--gate", &setting.gate.to_string()]);
        command.args(["--lanes", &setting.lanes.to_string()]);
        command.args(["--lease", &setting.lease.as_millis().to_string()]);
        if let Some(sabotage) = setting.sabotage {
            command.args(["--sabotage", sabotage]);
        }
        command
    }
}

/// A number that nobody foresees.
pub(super) fn random() -> u64 {
    let mut bytes = [0; 8];
    SystemRandomness.fill(&mut bytes);
    u64::from_le_bytes(bytes)
}
