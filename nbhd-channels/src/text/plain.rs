//! The dialect without any markup: what is read, and links spelled out.

use super::{Style, Text};

/// The text with each link's address behind it, when the address is not what is read anyway.
pub fn render(text: &Text) -> String {
    let mut out = String::with_capacity(text.content.len());
    let mut written = 0;
    for span in &text.spans {
        let Style::Link { url } = &span.style else {
            continue;
        };
        out.push_str(&text.content[written..span.end]);
        written = span.end;
        if text.content[span.start..span.end] != **url {
            out.push_str(" (");
            out.push_str(url);
            out.push(')');
        }
    }
    out.push_str(&text.content[written..]);
    out
}
