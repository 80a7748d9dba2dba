//! Columns that stand below each other.

use super::Paint;

/// On which side a column is even.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// A table without lines.
#[derive(Debug)]
pub struct Table {
    columns: Vec<(String, Align)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these columns.
    pub fn new<const N: usize>(columns: [(&str, Align); N]) -> Self {
        Self {
            columns: columns
                .into_iter()
                .map(|(name, align)| (name.to_owned(), align))
                .collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row, one cell for each column.
    pub fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.into());
    }

    /// The text, each line indented by two.
    pub fn render(&self, paint: Paint) -> String {
        let widths: Vec<usize> = (0..self.columns.len())
            .map(|at| {
                let cells = self.rows.iter().filter_map(|row| row.get(at));
                let head = self.columns[at].0.chars().count();
                cells.map(|cell| cell.chars().count()).fold(head, usize::max)
            })
            .collect();
        let heads: Vec<String> = self.columns.iter().map(|(name, _)| name.clone()).collect();
        let mut text = format!("{}\n", paint.dim(&self.line(&heads, &widths)));
        for row in &self.rows {
            let line = self.line(row, &widths);
            text.push_str(&line);
            text.push('\n');
        }
        text
    }

    fn line(&self, cells: &[String], widths: &[usize]) -> String {
        let mut line = String::from("  ");
        for ((cell, width), (_, align)) in cells.iter().zip(widths).zip(&self.columns) {
            let room = " ".repeat(width - cell.chars().count().min(*width));
            let (before, after) = match align {
                Align::Left => (cell, &room),
                Align::Right => (&room, cell),
            };
            line.extend([before.as_str(), after.as_str(), "  "]);
        }
        line.trim_end().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::{Align, Table};
    use crate::report::Paint;

    #[test]
    fn numbers_end_and_words_begin_below_each_other() {
        let mut table = Table::new([("what", Align::Left), ("n", Align::Right)]);
        table.row(["Grüße".to_owned(), "1".to_owned()]);
        table.row(["x".to_owned(), "100".to_owned()]);
        assert_eq!(
            table.render(Paint::plain()),
            "  what     n\n  Grüße    1\n  x      100\n"
        );
    }
}
