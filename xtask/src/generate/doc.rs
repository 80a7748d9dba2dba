//! Documentation for readers of another language: no links of rustdoc, no paths of Rust.

/// The text with the links of rustdoc as plain code: `` [`Error`](super::Error) `` becomes `` `Error` ``.
pub(super) fn plain(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("[`") {
        out.push_str(&rest[..start]);
        let Some(length) = rest[start..].find("`]") else {
            rest = &rest[start..];
            break;
        };
        let label = &rest[start + 1..=start + length];
        out.push_str(&label.replace("::", "."));
        rest = &rest[start + length + 2..];
        if rest.starts_with('(')
            && let Some(end) = rest.find(')')
        {
            rest = &rest[end + 1..];
        }
    }
    out.push_str(rest);
    out
}

/// The text in one line.
pub(super) fn line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn links_become_code() {
        assert_eq!(
            plain("An [`Error`](super::Error) of [`Code::Internal`], [not a link]."),
            "An `Error` of `Code.Internal`, [not a link]."
        );
        assert_eq!(plain("open [`end"), "open [`end");
    }
}
