//! The conversation as it was read on the channel.

use super::Paint;

/// A question and its answer, each line after the name of who said it.
pub fn conversation(lines: &[(String, String)], paint: Paint) -> String {
    let width = lines
        .iter()
        .map(|(who, _)| who.chars().count())
        .max()
        .unwrap_or(0);
    let mut text = String::new();
    for (who, said) in lines {
        for (at, line) in said.lines().enumerate() {
            let name = if at == 0 { who.as_str() } else { "" };
            let room = " ".repeat(width - name.chars().count());
            let line = format!("  {}{room}  {line}", paint.bold(name));
            text.push_str(line.trim_end());
            text.push('\n');
        }
    }
    text
}
