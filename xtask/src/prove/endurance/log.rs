//! The log outside of the store: every word that a working process said, whatever became of the process.

use std::collections::{BTreeMap, BTreeSet};

/// What all processes said.
#[derive(Default)]
pub(super) struct Log {
    /// Events that were offered and are not known to be accepted: their platform offers them again.
    pub(super) open: BTreeSet<String>,
    /// Events whose acceptance was acknowledged.
    pub(super) accepted: BTreeSet<String>,
    /// How often an event was said to be known already.
    pub(super) duplicates: u64,
    /// Events whose effect was acknowledged.
    pub(super) handled: BTreeSet<String>,
    /// How many of them each process handled.
    pub(super) handled_by: BTreeMap<u64, u64>,
    /// How often each was sent, by the platform's log.
    pub(super) sent: BTreeMap<String, u64>,
    /// Acknowledged holds, and what is known of their bill.
    pub(super) held: BTreeMap<String, i64>,
    pub(super) billed: BTreeMap<String, i64>,
    /// How often money was refused.
    pub(super) refused: u64,
    /// Who was told that the gate let them pass.
    pub(super) passed: BTreeSet<String>,
    /// Sleepers whose late write was refused.
    pub(super) sleepers: u64,
    /// Errors by place, code and outcome.
    pub(super) errors: BTreeMap<String, u64>,
    /// The slowest call that failed, in seconds.
    pub(super) slowest: f64,
    /// Leases that were lost before they ended.
    pub(super) stolen: Vec<String>,
    /// Caps that a process saw passed.
    pub(super) over: Vec<String>,
    /// How often a process was killed at each point, and at random.
    pub(super) killed_at: BTreeMap<String, u64>,
    pub(super) killed_at_random: u64,
    /// What nobody expected.
    pub(super) strange: Vec<String>,
}

impl Log {
    /// Takes one line, of the process that is called so.
    pub(super) fn take(&mut self, life: u64, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["ready" | "end"] => {}
            ["o", name] => {
                if !self.accepted.contains(name) {
                    self.open.insert(name.to_owned());
                }
            }
            [word @ ("a" | "d"), name] => {
                self.duplicates += u64::from(word == "d");
                self.open.remove(name);
                self.accepted.insert(name.to_owned());
            }
            ["e", name] => {
                self.handled.insert(name.to_owned());
                *self.handled_by.entry(life).or_default() += 1;
            }
            ["s", name] => *self.sent.entry(name.to_owned()).or_default() += 1,
            ["h", id, amount] => {
                self.held.insert(id.to_owned(), amount.parse().unwrap_or(0));
            }
            ["f", id, amount] => {
                self.billed.insert(id.to_owned(), amount.parse().unwrap_or(0));
            }
            ["r"] => self.refused += 1,
            ["g", who] => {
                self.passed.insert(who.to_owned());
            }
            ["z", _] => self.sleepers += 1,
            ["x", place, code, outcome, seconds] => {
                *self
                    .errors
                    .entry(format!("{place} {code} {outcome}"))
                    .or_default() += 1;
                self.slowest = self.slowest.max(seconds.parse().unwrap_or(0.0));
            }
            ["stolen", lane, epoch] => self.stolen.push(format!("{lane} epoch {epoch}")),
            ["over", scope, counted, cap] => self.over.push(format!(
                "{scope} counted {counted} nano-USD, more than the cap of {cap}"
            )),
            _ => self.strange.push(line.to_owned()),
        }
    }

    /// A few events to offer again: those that nobody knows to be accepted, and one that is.
    pub(super) fn again(&mut self, most: usize, pick: u64) -> Vec<String> {
        let mut again: Vec<String> = self.open.iter().take(most).cloned().collect();
        // Two processes are not offered the same one at once: who dies with it gives it back.
        for name in &again {
            self.open.remove(name);
        }
        let known = self.accepted.len() as u64;
        if known > 0 {
            again.extend(self.accepted.iter().nth((pick % known) as usize).cloned());
        }
        again
    }

    /// How many processes were killed.
    pub(super) fn kills(&self) -> u64 {
        self.killed_at.values().sum::<u64>() + self.killed_at_random
    }
}
