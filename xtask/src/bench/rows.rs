//! The rows of the table: which figures stand in which, and what was promised of them.

use serde::Serialize;

use super::Figures;
use super::plans::PLANS;

use Figure::{Between, Of};
use Goal::{AboveFloor, AtMost, Beside, Less, LessAboveFloor, More, TimesFloor};

/// One row, measured.
#[derive(Serialize)]
pub(super) struct Row {
    pub(super) group: &'static str,
    pub(super) work: &'static str,
    pub(super) unit: &'static str,
    pub(super) floor: Option<Named>,
    pub(super) peers: Vec<Named>,
    pub(super) ours: f64,
    /// Lowest and highest of our rounds.
    pub(super) range: [f64; 2],
    pub(super) goals: Vec<Measured>,
}

/// A figure and whose it is.
#[derive(Serialize, Clone)]
pub(super) struct Named {
    pub(super) name: &'static str,
    pub(super) figure: f64,
}

/// A goal and what was reached.
#[derive(Serialize)]
pub(super) struct Measured {
    /// What was reached, in words.
    pub(super) reached: String,
    /// What was promised; empty where nothing was.
    pub(super) goal: String,
    pub(super) met: Option<bool>,
}

/// What a row promises.
#[derive(Clone, Copy)]
pub(super) enum Goal {
    /// Ours is at most this.
    AtMost(f64),
    /// Ours less the floor is at most this.
    AboveFloor(f64),
    /// Ours is at most so many times the floor.
    TimesFloor(f64),
    /// Ours is so many times less than this peer's.
    Less(&'static str, f64),
    /// Ours is so many times more than this peer's.
    More(&'static str, f64),
    /// Ours above the floor is so many times less than this peer's above it.
    LessAboveFloor(&'static str, f64),
    /// Nothing was promised; how much less (or more) ours is than this peer's.
    Beside(&'static str),
}

/// One row as it is looked up: names of figures, floor and peers, goals.
pub(super) struct Plan {
    pub(super) group: &'static str,
    pub(super) work: &'static str,
    pub(super) unit: &'static str,
    pub(super) ours: Figure,
    pub(super) floor: Option<(&'static str, Figure)>,
    pub(super) peers: &'static [(&'static str, &'static str)],
    pub(super) goals: &'static [Goal],
}

/// A figure, or the difference of two.
#[derive(Clone, Copy)]
pub(super) enum Figure {
    Of(&'static str),
    Between(&'static str, &'static str),
}

/// The rows that were measured. A row without our own figure is no row; a peer that is missing is left out.
pub(super) fn rows(figures: &Figures) -> Vec<Row> {
    PLANS.iter().filter_map(|plan| row(plan, figures)).collect()
}

fn row(plan: &Plan, figures: &Figures) -> Option<Row> {
    let ours = look_up(plan.ours, figures)?;
    let floor = plan.floor.and_then(|(name, figure)| {
        Some(Named {
            name,
            figure: median(&look_up(figure, figures)?),
        })
    });
    let peers: Vec<Named> = plan
        .peers
        .iter()
        .filter_map(|(name, key)| {
            Some(Named {
                name,
                figure: median(figures.get(*key)?),
            })
        })
        .collect();
    let figure = median(&ours);
    let goals = plan
        .goals
        .iter()
        .filter_map(|goal| measure(*goal, plan.unit, figure, floor.as_ref(), &peers))
        .collect();
    let lowest = ours.iter().copied().fold(f64::INFINITY, f64::min);
    let highest = ours.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    Some(Row {
        group: plan.group,
        work: plan.work,
        unit: plan.unit,
        floor,
        peers,
        ours: figure,
        range: [lowest, highest],
        goals,
    })
}

fn look_up(figure: Figure, figures: &Figures) -> Option<Vec<f64>> {
    match figure {
        Of(name) => figures.get(name).cloned(),
        Between(whole, part) => {
            let pairs = figures.get(whole)?.iter().zip(figures.get(part)?);
            Some(pairs.map(|(whole, part)| whole - part).collect())
        }
    }
}

fn measure(goal: Goal, unit: &str, ours: f64, floor: Option<&Named>, peers: &[Named]) -> Option<Measured> {
    let peer = |name: &str| {
        peers
            .iter()
            .find(|peer| peer.name == name)
            .map(|peer| peer.figure)
    };
    let measured = |reached: String, goal: String, met: bool| {
        let promised = !goal.is_empty();
        Some(Measured {
            reached,
            goal,
            met: promised.then_some(met),
        })
    };
    match goal {
        AtMost(limit) => measured(String::new(), format!("≤ {} {unit}", show(limit)), ours <= limit),
        AboveFloor(limit) => {
            let above = ours - floor?.figure;
            let goal = if limit.is_finite() {
                format!("≤ {} {unit} above the floor", show(limit))
            } else {
                String::new()
            };
            measured(format!("floor + {} {unit}", show(above)), goal, above <= limit)
        }
        TimesFloor(limit) => {
            let times = ours / floor?.figure;
            let goal = if limit.is_finite() {
                format!("≤ {}× the floor", show(limit))
            } else {
                String::new()
            };
            measured(format!("{}× the floor", show(times)), goal, times <= limit)
        }
        Less(name, wanted) => {
            let times = peer(name)? / ours;
            measured(
                format!("{}× less than {name}", show(times)),
                format!("≥ {}×", show(wanted)),
                times >= wanted,
            )
        }
        More(name, wanted) => {
            let times = ours / peer(name)?;
            measured(
                format!("{}× {name}", show(times)),
                format!("≥ {}×", show(wanted)),
                times >= wanted,
            )
        }
        LessAboveFloor(name, wanted) => {
            let floor = floor?.figure;
            let times = (peer(name)? - floor) / (ours - floor).max(f64::EPSILON);
            if wanted < 1.0 {
                return measured(
                    format!("{}× {name}, above the floor", show(1.0 / times)),
                    format!("≤ {}×", show(1.0 / wanted)),
                    times >= wanted,
                );
            }
            measured(
                format!("{}× less than {name}, above the floor", show(times)),
                format!("≥ {}×", show(wanted)),
                times >= wanted,
            )
        }
        Beside(name) => {
            let other = peer(name)?;
            let text = if unit.ends_with("/s") {
                format!("{}× {name}", show(ours / other))
            } else {
                format!("{}× less than {name}", show(other / ours))
            };
            measured(text, String::new(), true)
        }
    }
}

pub(super) fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => 0.0,
        length if length % 2 == 1 => sorted[length / 2],
        length => f64::midpoint(sorted[length / 2 - 1], sorted[length / 2]),
    }
}

/// A figure with as many digits as it is worth.
pub(super) fn show(figure: f64) -> String {
    let size = figure.abs();
    if size >= 1_000.0 {
        let whole = format!("{figure:.0}");
        let (head, tail) = whole.split_at(whole.len() - 3);
        format!("{head},{tail}")
    } else if size >= 100.0 {
        format!("{figure:.0}")
    } else if size >= 10.0 {
        format!("{figure:.1}")
    } else {
        format!("{figure:.2}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(named: &[(&str, &[f64])]) -> Figures {
        named
            .iter()
            .map(|(name, figures)| ((*name).to_owned(), figures.to_vec()))
            .collect()
    }

    #[test]
    fn a_row_is_the_median_of_its_rounds_beside_floor_and_goal() {
        let rows = rows(&figures(&[
            ("call.memory", &[90.0, 70.0, 400.0]),
            ("call.raw", &[65.0, 60.0, 80.0]),
        ]));
        assert_eq!(rows.len(), 1);
        let row = &rows[0];
        assert_eq!((row.ours, row.range), (90.0, [70.0, 400.0]));
        assert_eq!(row.floor.as_ref().map(|floor| floor.figure), Some(65.0));
        assert_eq!(row.goals[0].met, Some(false), "25 µs above the floor");
    }

    #[test]
    fn what_is_missing_is_left_out_and_nothing_is_promised_of_it() {
        let rows = rows(&figures(&[
            ("python.nbhd.sync", &[100.0]),
            ("python.openai.sync", &[1_500.0]),
            ("python.mail.call", &[200.0]),
        ]));
        assert_eq!(rows.len(), 1, "a difference needs both of its figures");
        assert_eq!(rows[0].goals.len(), 1);
        assert_eq!(rows[0].goals[0].met, Some(true));
        assert_eq!(rows[0].goals[0].reached, "15.0× less than openai");
    }

    #[test]
    fn streams_compare_what_lies_above_the_floor() {
        let rows = rows(&figures(&[
            ("stream.bytes", &[3.0]),
            ("stream.split", &[5.0]),
            ("stream.rust", &[6.0]),
        ]));
        assert_eq!(
            rows[0].goals[0].reached,
            "1.50× splitter + serde, above the floor"
        );
        assert_eq!(rows[0].goals[0].met, Some(false));
    }

    #[test]
    fn figures_have_the_digits_that_they_are_worth() {
        let shown: Vec<String> = [0.123, 12.34, 123.4, 12_345.6].map(show).into();
        assert_eq!(shown, ["0.12", "12.3", "123", "12,346"]);
    }
}
