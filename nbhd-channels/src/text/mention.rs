//! Mentions in text that came from outside must not ring anybody's bell.
//!
//! A word joiner (U+2060, no width, no line break) behind the `@` keeps the look and takes the life.

/// The character that takes the life.
const JOINER: char = '\u{2060}';

/// Appends `text` to `out` with each `@name` disarmed. `before` is what stands in front of it, if anything does.
pub(crate) fn disarm_into(out: &mut String, before: Option<char>, text: &str) {
    let mut previous = before;
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        out.push(c);
        // After a word character it is a mail address, which mentions nobody.
        let starts = c == '@' && !previous.is_some_and(is_word);
        // A pipe may be the mark of a spoiler, which goes.
        if starts
            && characters
                .peek()
                .is_some_and(|next| is_word(*next) || *next == '|')
        {
            out.push(JOINER);
        }
        previous = Some(c);
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::disarm_into;

    #[test]
    fn only_what_would_ring_is_disarmed() {
        for (text, expected) in [
            ("ask @anna", "ask @\u{2060}anna"),
            ("@everyone!", "@\u{2060}everyone!"),
            ("mail anna@example.org", "mail anna@example.org"),
            ("a @ b", "a @ b"),
        ] {
            let mut out = String::new();
            disarm_into(&mut out, None, text);
            assert_eq!(out, expected);
        }
    }
}
