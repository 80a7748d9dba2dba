//! The real counts of tests that ran, read from the closing lines of their runners.

use std::collections::{BTreeMap, BTreeSet};

/// The languages whose runners play the conformance cases.
pub(crate) const LANGUAGES: [&str; 3] = ["rust", "python", "node"];

/// The stores that the cases are played on which work on the store.
pub(crate) const STORES: [&str; 4] = ["memory", "sqlite", "redis", "postgres"];

/// How many tests a runner says it ran.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
}

impl Counts {
    /// From the `test result:` lines of `cargo test`.
    pub(crate) fn of_cargo(text: &str) -> Self {
        let mut counts = Self::default();
        for line in text.lines().filter(|line| line.starts_with("test result:")) {
            counts.passed += number_before(line, " passed");
            counts.failed += number_before(line, " failed");
            counts.skipped += number_before(line, " ignored");
        }
        counts
    }

    /// From the last line of pytest.
    pub(crate) fn of_pytest(text: &str) -> Self {
        let last = text
            .lines()
            .rfind(|line| line.contains(" in ") && line.contains("passed"))
            .unwrap_or_default();
        Self {
            passed: number_before(last, " passed"),
            failed: number_before(last, " failed"),
            skipped: number_before(last, " skipped"),
        }
    }

    /// From the closing lines of `node --test`, in either of its two reporters.
    pub(crate) fn of_node(text: &str) -> Self {
        let read = |what: &str| {
            text.lines()
                .filter_map(|line| line.trim_start_matches(['#', 'ℹ', ' ']).strip_prefix(what))
                .filter_map(|rest| rest.trim().parse::<u64>().ok())
                .next_back()
                .unwrap_or(0)
        };
        Self {
            passed: read("pass "),
            failed: read("fail "),
            skipped: read("skipped "),
        }
    }
}

/// How many cases the conformance runners say they held: `conformance <language> <count>` for all of them in memory, and
/// `contract <language> <store> <count>` for those that work on the store.
#[derive(Debug, Default)]
pub(crate) struct Cases(BTreeMap<String, u64>);

impl Cases {
    /// Reads what a runner prints, wherever its reporter puts it on a line.
    pub(crate) fn read(&mut self, text: &str) {
        let names: Vec<String> = LANGUAGES.into_iter().flat_map(names_of).collect();
        for line in text.lines() {
            for name in &names {
                let count = line.split_once(name.as_str()).map(|(_, rest)| rest.trim());
                if let Some(count) = count.and_then(|count| count.parse().ok()) {
                    self.0.insert(name.clone(), count);
                }
            }
        }
    }

    /// Takes one case from each of the counts of a language.
    pub(crate) fn leave_one_out(&mut self, language: &str) {
        for name in names_of(language) {
            self.0
                .entry(name)
                .and_modify(|count| *count = count.saturating_sub(1));
        }
    }

    /// The counts in words: all languages held as many cases, and on each of these stores as many as on any other.
    pub(crate) fn agreed(&self, stores: &[&str]) -> Result<[String; 2], String> {
        let count = |name: &str| self.0.get(name).copied().unwrap_or(0);
        let all: Vec<u64> = LANGUAGES.map(|language| count(&in_all(language))).to_vec();
        let told = format!("rust {}, python {}, node {}", all[0], all[1], all[2]);
        if all[0] == 0 || all.iter().any(|held| *held != all[0]) {
            return Err(format!("conformance counts differ: {told}"));
        }
        let on_stores: BTreeMap<String, u64> = LANGUAGES
            .into_iter()
            .flat_map(|language| stores.iter().map(move |store| on_store(language, store)))
            .map(|name| {
                let held = count(&name);
                (name, held)
            })
            .collect();
        let different: BTreeSet<u64> = on_stores.values().copied().collect();
        match different.first() {
            Some(held) if different.len() == 1 && *held > 0 => {
                Ok([told, format!("{held} in each language on {}", stores.join(", "))])
            }
            _ => Err(format!("contract counts differ: {on_stores:?}")),
        }
    }
}

fn names_of(language: &str) -> Vec<String> {
    let on_stores = STORES.map(|store| on_store(language, store));
    [vec![in_all(language)], on_stores.to_vec()].concat()
}

fn in_all(language: &str) -> String {
    format!("conformance {language} ")
}

fn on_store(language: &str, store: &str) -> String {
    format!("contract {language} {store} ")
}

/// The number that stands right before `word` in `line`.
fn number_before(line: &str, word: &str) -> u64 {
    let Some(end) = line.find(word) else { return 0 };
    let digits: String = line[..end]
        .chars()
        .rev()
        .take_while(char::is_ascii_digit)
        .collect();
    digits.chars().rev().collect::<String>().parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::{Cases, Counts, LANGUAGES, STORES};

    fn told(but: &str) -> Cases {
        let mut cases = Cases::default();
        for language in LANGUAGES {
            let mut text = format!("# conformance {language} 9\n");
            for store in STORES {
                text.push_str(&format!("contract {language} {store} 7\n"));
            }
            let kept: Vec<&str> = text.lines().filter(|line| !line.contains(but)).collect();
            cases.read(&kept.join("\n"));
        }
        cases
    }

    #[test]
    fn counts_of_cases_agree_or_are_named() {
        let [all, on_stores] = told("no such line").agreed(&STORES).unwrap();
        assert_eq!(all, "rust 9, python 9, node 9");
        assert_eq!(on_stores, "7 in each language on memory, sqlite, redis, postgres");
        for missing in ["conformance node", "contract python redis"] {
            assert!(
                told(missing)
                    .agreed(&STORES)
                    .unwrap_err()
                    .contains(missing.split(' ').nth(1).unwrap())
            );
        }
        let mut fewer = told("no such line");
        fewer.leave_one_out("python");
        assert!(
            fewer
                .agreed(&STORES)
                .unwrap_err()
                .contains("conformance counts differ")
        );
        let mut fewer = told("no such line");
        fewer.read("contract rust sqlite 6");
        assert!(
            fewer
                .agreed(&STORES)
                .unwrap_err()
                .contains("contract counts differ")
        );
    }

    #[test]
    fn the_closing_lines_of_three_runners_are_read() {
        let cargo = "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured\ntest result: ok. 3 passed; 0 failed; 0 ignored";
        assert_eq!(
            Counts::of_cargo(cargo),
            Counts {
                passed: 15,
                failed: 0,
                skipped: 1
            }
        );
        let pytest = "====== 1 failed, 41 passed, 2 skipped in 3.20s ======";
        assert_eq!(
            Counts::of_pytest(pytest),
            Counts {
                passed: 41,
                failed: 1,
                skipped: 2
            }
        );
        let node = "# tests 7\n# pass 6\n# fail 1\n# skipped 0";
        assert_eq!(
            Counts::of_node(node),
            Counts {
                passed: 6,
                failed: 1,
                skipped: 0
            }
        );
    }
}
