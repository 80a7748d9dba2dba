//! The real counts of tests that ran, read from the closing lines of their runners.

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
    use super::Counts;

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
