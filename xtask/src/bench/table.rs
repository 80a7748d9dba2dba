//! The table, for people and for machines.

use serde_json::{Value, json};

use super::Figures;
use super::rows::{Named, Row, show};

const HEADS: [&str; 6] = ["work", "floor", "peers", "ours", "ratio", "goal"];

/// A Markdown table that also reads well on a terminal.
pub(super) fn text(rows: &[Row], versions: &[String], notes: &[String], rounds: usize) -> String {
    let lines: Vec<[String; 6]> = rows.iter().map(cells).collect();
    let mut widths = HEADS.map(|head| head.chars().count());
    for line in &lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let write = |cells: &[String; 6]| {
        let padded = cells
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell}{}", " ".repeat(width - cell.chars().count())))
            .collect::<Vec<_>>();
        format!("| {} |\n", padded.join(" | "))
    };
    let mut text = write(&HEADS.map(str::to_owned));
    text.push_str(&write(&widths.map(|width| "-".repeat(width))));
    for line in &lines {
        text.push_str(&write(line));
    }
    let promised = rows.iter().flat_map(|row| &row.goals).filter_map(|goal| goal.met);
    let (met, all) = promised.fold((0, 0), |(met, all), is| (met + usize::from(is), all + 1));
    let summary = format!(
        "\n{met} of {all} goals met. Medians of {rounds} interleaved rounds; ours with its lowest and highest round.\n{}; {}\n",
        machine(),
        versions.join(", ")
    );
    text.push_str(&summary);
    for note in notes {
        text.extend(["left out: ", note, "\n"]);
    }
    text
}

fn cells(row: &Row) -> [String; 6] {
    let named = |named: &Named| format!("{} {}", named.name, show(named.figure));
    let join = |parts: Vec<String>| {
        let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        parts.join("; ")
    };
    let goals = row.goals.iter().map(|goal| match goal.met {
        Some(true) => format!("{} met", goal.goal),
        Some(false) => format!("{} MISSED", goal.goal),
        None => String::new(),
    });
    [
        format!("{}: {}", row.group, row.work),
        row.floor.as_ref().map(named).unwrap_or_default(),
        join(row.peers.iter().map(named).collect()),
        format!(
            "{} {} [{}–{}]",
            show(row.ours),
            row.unit,
            show(row.range[0]),
            show(row.range[1])
        ),
        join(row.goals.iter().map(|goal| goal.reached.clone()).collect()),
        join(goals.collect()),
    ]
}

/// The same with every round's figures.
pub(super) fn json(
    rows: &[Row],
    figures: &Figures,
    versions: &[String],
    notes: &[String],
    rounds: usize,
) -> Value {
    json!({
        "machine": machine(),
        "rounds": rounds,
        "versions": versions,
        "left_out": notes,
        "rows": rows,
        "figures": figures,
    })
}

fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!(
        "{} {}, {cores} cores",
        std::env::consts::OS,
        std::env::consts::ARCH
    )
}
