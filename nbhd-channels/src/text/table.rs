//! A table as lines of equal columns: what a chat without tables can show in a block of code.
//!
//! The output stays linear in the input: padding stops at [`PADDING_LIMIT`], and empty cells at a line's end are left out.

/// Cells wider than this do not widen the lines of others: 40, half of a classic terminal's line.
const PADDING_LIMIT: usize = 40;

/// Renders rows, the first of which is the head.
pub(crate) fn render(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(|row| filled(row)).max().unwrap_or(0);
    let mut widths = vec![0_usize; columns];
    for row in rows {
        for (column, cell) in row.iter().take(columns).enumerate() {
            widths[column] = widths[column].max(width(cell).min(PADDING_LIMIT));
        }
    }
    let mut out = String::new();
    for (index, row) in rows.iter().enumerate() {
        if index > 0 {
            out.push('\n');
        }
        let cells = filled(row);
        for (column, cell) in row.iter().take(cells).enumerate() {
            if column > 0 {
                out.push_str(" | ");
            }
            out.push_str(cell);
            if column + 1 < cells {
                pad(&mut out, ' ', widths[column].saturating_sub(width(cell)));
            }
        }
        if index == 0 {
            out.push('\n');
            for (column, width) in widths.iter().enumerate() {
                if column > 0 {
                    out.push_str("-+-");
                }
                pad(&mut out, '-', (*width).max(1));
            }
        }
    }
    out
}

/// How many cells a row has up to its last one that is not empty.
fn filled(row: &[String]) -> usize {
    row.iter()
        .rposition(|cell| !cell.is_empty())
        .map_or(0, |last| last + 1)
}

fn pad(out: &mut String, c: char, count: usize) {
    out.extend(std::iter::repeat_n(c, count));
}

/// The columns that a text takes in a fixed-width font, near enough for alignment.
fn width(text: &str) -> usize {
    text.chars().map(column_count).sum()
}

fn column_count(c: char) -> usize {
    match c {
        // Marks that stand on the letter before them, joiners, variation selectors.
        '\u{300}'..='\u{36f}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{fe00}'..='\u{fe0f}' => 0,
        // East Asian wide and full-width blocks, and pictographs (Unicode Standard Annex 11).
        '\u{1100}'..='\u{115f}'
        | '\u{2e80}'..='\u{a4cf}'
        | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}'
        | '\u{fe30}'..='\u{fe6f}'
        | '\u{ff00}'..='\u{ff60}'
        | '\u{ffe0}'..='\u{ffe6}'
        | '\u{1f300}'..='\u{1f64f}'
        | '\u{1f900}'..='\u{1f9ff}'
        | '\u{20000}'..='\u{3fffd}' => 2,
        _ => 1,
    }
}
