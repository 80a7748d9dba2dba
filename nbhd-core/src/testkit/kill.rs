//! Death at a named point: a plan counts the points that a process passes and kills it, as `kill -9` does, at one.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Counts the points passed, over the whole process, and ends the process at one of them.
///
/// A first run that only counts says how many there are; then one run for each number dies there.
#[derive(Debug)]
pub struct KillPlan {
    at: Option<u64>,
    /// Counts only the points of this name.
    of: Option<String>,
    passed: Mutex<Vec<String>>,
}

impl KillPlan {
    /// A plan that kills nobody.
    pub fn counting() -> Arc<Self> {
        Arc::new(Self {
            at: None,
            of: None,
            passed: Mutex::default(),
        })
    }

    /// A plan that kills the process at the `n`-th point, from 1.
    pub fn at(n: u64) -> Arc<Self> {
        Arc::new(Self {
            at: Some(n),
            of: None,
            passed: Mutex::default(),
        })
    }

    /// A plan that kills the process when it passes the point called `name` for the `n`-th time, from 1.
    pub fn at_point(name: impl Into<String>, n: u64) -> Arc<Self> {
        Arc::new(Self {
            at: Some(n),
            of: Some(name.into()),
            passed: Mutex::default(),
        })
    }

    /// Passes a point, such as `store.commit.before` or `request.write.after`. Does not return when it is the one.
    pub fn hit(&self, point: &str) {
        let mut passed = self.passed.lock().unwrap_or_else(PoisonError::into_inner);
        passed.push(point.to_owned());
        if self.at.is_none() {
            return;
        }
        let number = match &self.of {
            None => passed.len(),
            Some(name) if name != point => return,
            Some(_) => passed.iter().filter(|other| *other == point).count(),
        };
        if self.at == Some(number as u64) {
            die();
        }
    }

    /// How many points were passed.
    pub fn count(&self) -> u64 {
        self.passed.lock().unwrap_or_else(PoisonError::into_inner).len() as u64
    }

    /// The points in the order in which they were passed.
    pub fn passed(&self) -> Vec<String> {
        self.passed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How often each point was passed.
    pub fn counts(&self) -> BTreeMap<String, u64> {
        let mut counts = BTreeMap::new();
        for point in self.passed() {
            *counts.entry(point).or_default() += 1;
        }
        counts
    }
}

/// No destructor, no flush, no goodbye: other threads stop where they are.
fn die() -> ! {
    #[cfg(unix)]
    if rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL).is_ok() {
        loop {
            std::thread::park();
        }
    }
    std::process::abort()
}

#[cfg(test)]
mod tests {
    use super::KillPlan;

    #[test]
    fn a_counting_plan_says_what_was_passed() {
        let plan = KillPlan::counting();
        for point in ["a", "b", "a"] {
            plan.hit(point);
        }
        assert_eq!(
            (plan.count(), plan.passed()),
            (3, vec!["a".into(), "b".into(), "a".into()])
        );
        assert_eq!(plan.counts()["a"], 2);
    }
}
