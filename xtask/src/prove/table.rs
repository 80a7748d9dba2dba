//! One table of what was attacked, how often, what was seen, and the verdict.

use std::io::IsTerminal;
use std::time::Duration;

use serde_json::{Value, json};

use super::row::{Defect, Seen};

/// The widest column of free text.
const WIDTH: usize = 64;

/// A row that ran.
pub(super) struct Line {
    pub(super) row: &'static str,
    pub(super) promise: &'static str,
    pub(super) attack: &'static str,
    pub(super) defect: Option<&'static Defect>,
    pub(super) seen: Seen,
    pub(super) seconds: f64,
}

impl Line {
    /// Held, or for a planted defect: caught.
    fn good(&self) -> bool {
        match self.defect {
            None => self.seen.violations.is_empty(),
            Some(_) => self.caught_by().is_some(),
        }
    }

    /// The violations that show the planted defect, one for each place in which it was planted.
    fn caught_by(&self) -> Option<Vec<&str>> {
        let defect = self.defect?;
        let anywhere = [String::new()];
        let places = match &self.seen.planted_in[..] {
            [] => &anywhere,
            places => places,
        };
        let shown = |place: &String| {
            let mut violations = self.seen.violations.iter();
            violations
                .find(|violation| violation.starts_with(place) && violation.contains(defect.shows_as))
                .map(String::as_str)
        };
        places.iter().map(shown).collect()
    }
}

/// All rows that ran.
pub(super) struct Table {
    sabotage: bool,
    json: bool,
    lines: Vec<Line>,
}

impl Table {
    pub(super) fn new(sabotage: bool, json: bool) -> Self {
        Self {
            sabotage,
            json,
            lines: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, line: Line) {
        self.lines.push(line);
    }

    /// How many lines are not as they have to be. A table without lines is not good.
    pub(super) fn faults(&self) -> usize {
        self.lines
            .iter()
            .filter(|line| !line.good())
            .count()
            .max(usize::from(self.lines.is_empty()))
    }

    /// Prints it.
    pub(super) fn close(&self, took: Duration) {
        if self.json {
            println!("{:#}", self.value(took));
            return;
        }
        println!();
        if self.sabotage {
            self.print_sabotage();
        } else {
            self.print_promises();
        }
        println!("\n{:.0} s", took.as_secs_f64());
    }

    fn print_promises(&self) {
        let mut rows =
            vec![["promise", "attack", "how often", "what was seen", "verdict"].map(str::to_owned)];
        for line in &self.lines {
            let mut seen = line.seen.facts.join("\n");
            for violation in &line.seen.violations {
                seen.push_str(if seen.is_empty() { "" } else { "\n" });
                seen.push_str("✗ ");
                seen.push_str(violation);
            }
            rows.push([
                format!("{}\n{}", line.row, line.promise),
                line.attack.to_owned(),
                line.seen.times.clone(),
                seen,
                format!(
                    "{}\n{:.0} s",
                    if line.good() { "held" } else { "VIOLATED" },
                    line.seconds
                ),
            ]);
        }
        print(&rows, [24, 32, 16, WIDTH, 8]);
        for line in self.lines.iter().filter(|line| !line.seen.notes.is_empty()) {
            println!("\n{}:", line.row);
            for note in &line.seen.notes {
                println!("  {note}");
            }
        }
    }

    fn print_sabotage(&self) {
        let mut rows = vec![["row", "planted defect", "what the row said", "caught?"].map(str::to_owned)];
        for line in &self.lines {
            let said = line.caught_by().map_or_else(
                || {
                    let mut all = line.seen.violations.clone();
                    all.extend(line.seen.facts.iter().cloned());
                    all.join("\n")
                },
                |violations| format!("✗ {}", violations.join("\n✗ ")),
            );
            rows.push([
                line.row.to_owned(),
                line.defect.map_or("", |defect| defect.plants).to_owned(),
                said,
                format!(
                    "{}\n{:.0} s",
                    if line.good() { "caught" } else { "NOT CAUGHT" },
                    line.seconds
                ),
            ]);
        }
        print(&rows, [10, 40, WIDTH, 10]);
    }

    fn value(&self, took: Duration) -> Value {
        let rows: Vec<Value> = self
            .lines
            .iter()
            .map(|line| {
                let mut row = json!({
                    "row": line.row,
                    "promise": line.promise,
                    "attack": line.attack,
                    "times": line.seen.times,
                    "seen": line.seen.facts,
                    "violations": line.seen.violations,
                    "notes": line.seen.notes,
                    "good": line.good(),
                    "seconds": line.seconds,
                });
                if let Some(defect) = line.defect {
                    row["defect"] = defect.plants.into();
                    row["caught_by"] = line.caught_by().into();
                }
                row
            })
            .collect();
        json!({
            "sabotage": self.sabotage,
            "good": self.faults() == 0,
            "seconds": took.as_secs_f64(),
            "rows": rows,
        })
    }
}

/// Prints cells of several lines side by side, each column at most as wide as said.
fn print<const N: usize>(rows: &[[String; N]], widths: [usize; N]) {
    let colours = std::io::stdout().is_terminal();
    for (number, row) in rows.iter().enumerate() {
        let cells: Vec<Vec<String>> = row
            .iter()
            .zip(widths)
            .map(|(cell, width)| fold(cell, width))
            .collect();
        let height = cells.iter().map(Vec::len).max().unwrap_or(0);
        for at in 0..height {
            let mut printed = String::new();
            for (column, (cell, width)) in cells.iter().zip(widths).enumerate() {
                let text = cell.get(at).map_or("", String::as_str);
                let pad = width.saturating_sub(text.chars().count());
                let text = match text {
                    "held" | "caught" if colours => format!("\x1b[32m{text}\x1b[0m"),
                    "VIOLATED" | "NOT CAUGHT" if colours => format!("\x1b[1;31m{text}\x1b[0m"),
                    other => other.to_owned(),
                };
                printed.push_str(&text);
                if column + 1 < N {
                    printed.push_str(&" ".repeat(pad + 2));
                }
            }
            println!("{}", printed.trim_end());
        }
        let line = if number == 0 { "═" } else { "─" };
        println!("{}", line.repeat(widths.iter().sum::<usize>() + 2 * (N - 1)));
    }
}

/// Breaks `text` at spaces so that no line is wider than `width`; a longer word is cut.
fn fold(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let mut line = String::new();
        for word in paragraph.split(' ') {
            let mut word = word;
            if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
                lines.push(std::mem::take(&mut line));
            }
            while word.chars().count() > width {
                let cut = word.char_indices().nth(width).map_or(word.len(), |(at, _)| at);
                lines.push(word[..cut].to_owned());
                word = &word[cut..];
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::{Line, fold};
    use crate::prove::row::{Defect, Seen};

    static DEFECT: Defect = Defect {
        name: "x",
        plants: "something",
        shows_as: "was doubled",
    };

    fn line(defect: Option<&'static Defect>, violation: Option<&str>) -> Line {
        Line {
            row: "r",
            promise: "p",
            attack: "a",
            defect,
            seen: Seen {
                violations: violation.map(str::to_owned).into_iter().collect(),
                ..Seen::default()
            },
            seconds: 0.0,
        }
    }

    #[test]
    fn a_defect_is_caught_only_by_the_violation_that_it_leads_to() {
        assert!(line(None, None).good());
        assert!(!line(None, Some("did not run: x")).good());
        assert!(line(Some(&DEFECT), Some("a message was doubled")).good());
        assert!(!line(Some(&DEFECT), None).good());
        assert!(!line(Some(&DEFECT), Some("did not run: x")).good());
    }

    #[test]
    fn a_defect_in_several_places_is_caught_only_in_all_of_them() {
        let mut line = line(Some(&DEFECT), Some("here: a message was doubled"));
        line.seen.planted_in = vec!["here".to_owned()];
        assert!(line.good());
        line.seen.planted_in.push("there".to_owned());
        assert!(!line.good());
        line.seen
            .violations
            .push("there: a message was doubled".to_owned());
        assert!(line.good());
    }

    #[test]
    fn no_line_is_wider_than_its_column() {
        let lines = fold("a text of words and of oneverylongword that ends", 8);
        assert!(lines.iter().all(|line| line.chars().count() <= 8), "{lines:?}");
        assert_eq!(
            lines.concat().replace(' ', ""),
            "atextofwordsandofoneverylongwordthatends"
        );
    }
}
