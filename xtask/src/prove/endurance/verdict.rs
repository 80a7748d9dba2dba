//! The judge: what is in the store, beside what it had acknowledged.

use std::collections::BTreeMap;

use serde_json::Value;

use super::crew::Setting;
use super::log::Log;

/// The least that a hold is billed: its owner may have been killed before it could say which it was.
const LEAST: i64 = 60;

/// What flows into the gate while a proof runs, at most.
const INFLOW: u64 = 1;

/// How many of one kind of violation are named.
const NAMED: usize = 3;

/// What was found.
#[derive(Default)]
pub(super) struct Verdict {
    pub(super) effects: u64,
    pub(super) unknown: u64,
    pub(super) counted: i64,
    pub(super) passed: u64,
    pub(super) violations: Vec<String>,
}

impl Verdict {
    /// Holds what a reader found against what was said.
    pub(super) fn of(found: &Value, log: &Log, setting: &Setting) -> Self {
        let mut verdict = Self::default();
        verdict.nothing_waits(found);
        let effects = verdict.epochs(found);
        verdict.effects(found, log, &effects);
        verdict.sends(found, log);
        verdict.money(found, log);
        verdict.gate(found, log, setting);
        verdict.name("a lease was lost before it ended: ", &log.stolen);
        verdict.name("a process saw that ", &log.over);
        verdict.name("nobody expects the line ", &log.strange);
        verdict
    }

    fn name(&mut self, what: &str, all: &[String]) {
        for one in all.iter().take(NAMED) {
            self.violations.push(format!("{what}{one}"));
        }
        if all.len() > NAMED {
            self.violations
                .push(format!("{what}… and {} more", all.len() - NAMED));
        }
    }

    fn nothing_waits(&mut self, found: &Value) {
        for (what, name) in [
            ("pending", "events still wait"),
            ("dead", "events are dead letters"),
            ("unsent", "sends still wait"),
        ] {
            let count = found[what].as_u64();
            if count != Some(0) {
                self.violations.push(format!(
                    "{} {name}",
                    count.map_or("?".to_owned(), |n| n.to_string())
                ));
            }
        }
    }

    /// Goes through what was written under each lane's leases, in order; how often each event has its effect.
    fn epochs(&mut self, found: &Value) -> BTreeMap<String, u64> {
        let mut effects: BTreeMap<String, u64> = BTreeMap::new();
        let mut late = Vec::new();
        for (lane, members) in found["lanes"].as_object().into_iter().flatten() {
            let mut newest = 0;
            for member in members.as_array().into_iter().flatten() {
                let words: Vec<&str> = member.as_str().unwrap_or_default().split('|').collect();
                let [what, epoch, name, _] = words[..] else {
                    late.push(format!("a write that nobody made: {member}"));
                    continue;
                };
                let epoch: u64 = epoch.parse().unwrap_or(0);
                if epoch < newest {
                    late.push(format!(
                        "in lane {lane} epoch {epoch} wrote after epoch {newest} ({what} of {name})"
                    ));
                }
                newest = newest.max(epoch);
                if what == "effect" {
                    *effects.entry(name.to_owned()).or_default() += 1;
                }
            }
        }
        self.name("", &late);
        effects
    }

    fn effects(&mut self, found: &Value, log: &Log, effects: &BTreeMap<String, u64>) {
        self.effects = effects.len() as u64;
        let lost: Vec<String> = log
            .accepted
            .iter()
            .filter(|name| !effects.contains_key(*name))
            .cloned()
            .collect();
        self.name("was accepted and never handled: ", &lost);
        let forgotten: Vec<String> = log
            .handled
            .iter()
            .filter(|name| !effects.contains_key(*name))
            .cloned()
            .collect();
        self.name("its effect was acknowledged and is not there: ", &forgotten);
        let doubled: Vec<String> = effects
            .iter()
            .filter(|(_, times)| **times > 1)
            .map(|(name, times)| format!("{name}, {times} times"))
            .collect();
        self.name("an effect is there more than once: ", &doubled);
        let written: u64 = effects.values().sum();
        if found["effects"].as_u64() != Some(written) {
            self.violations.push(format!(
                "the effects say {written}, their sum says {}",
                found["effects"]
            ));
        }
    }

    fn sends(&mut self, found: &Value, log: &Log) {
        let mut wrong = Vec::new();
        for (name, states) in found["intents"].as_object().into_iter().flatten() {
            let times = log.sent.get(name).copied().unwrap_or(0);
            let state = states[0].as_str().unwrap_or("not there");
            match (state, times) {
                ("sent", 1) | ("unknown", 0 | 1) => self.unknown += u64::from(state == "unknown"),
                _ => wrong.push(format!("{name} is {state} and was sent {times} times")),
            }
        }
        self.name("a send: ", &wrong);
    }

    fn money(&mut self, found: &Value, log: &Log) {
        let amount = |window: &Value, name: &str| window[name].as_i64().unwrap_or(0);
        for window in found["windows"].as_array().into_iter().flatten() {
            let counted = amount(window, "settled") + amount(window, "provisional") + amount(window, "held");
            let (scope, cap) = (
                window["scope"].as_str().unwrap_or_default(),
                amount(window, "cap"),
            );
            if counted > cap {
                self.violations.push(format!(
                    "{scope} counts {counted} nano-USD, more than the cap of {cap}"
                ));
            }
            if scope == "global" {
                self.counted = counted;
            }
        }
        let least: i64 = log
            .held
            .keys()
            .map(|id| log.billed.get(id).copied().unwrap_or(LEAST))
            .sum();
        if self.counted < least {
            self.violations.push(format!(
                "the ledger counts {} nano-USD, less than the {least} that were acknowledged",
                self.counted
            ));
        }
    }

    fn gate(&mut self, found: &Value, log: &Log, setting: &Setting) {
        let passed: Vec<&str> = found["gate"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        self.passed = passed.len() as u64;
        if self.passed > setting.gate + INFLOW {
            self.violations.push(format!(
                "{} passed a gate for {}, more than the cap",
                self.passed, setting.gate
            ));
        }
        let lost: Vec<String> = log
            .passed
            .iter()
            .filter(|who| !passed.contains(&who.as_str()))
            .cloned()
            .collect();
        self.name("passed the gate and is not written down: ", &lost);
    }
}
