//! Redaction of text that leaves the process: one pass over its words, linear on hostile input.

/// Prefixes by which providers' keys are known.
const KEY_PREFIXES: &[&str] = &[
    "sk-",
    "ya29.",
    "1//",
    "GOCSPX-",
    "xoxb-",
    "xoxp-",
    "xapp-",
    "ghp_",
    "gho_",
    "github_pat_",
    "AIza",
    "eyJ",
    "whsec_",
];

/// Replaces what looks like a credential with `***`.
pub fn redact(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut after_scheme = false;
    for piece in text.split_inclusive(|c: char| {
        c.is_whitespace()
            || matches!(
                c,
                '"' | '\'' | ',' | ';' | '<' | '>' | '&' | '?' | '=' | '/' | '(' | ')' | '{' | '}'
            )
    }) {
        let end = piece
            .chars()
            .next_back()
            .filter(|c| !is_word(*c))
            .map_or(0, char::len_utf8);
        let (word, delimiter) = piece.split_at(piece.len() - end);
        let secret = !word.is_empty() && (after_scheme || looks_secret(word));
        out.push_str(if secret { "***" } else { word });
        out.push_str(delimiter);
        if !word.is_empty() {
            after_scheme =
                word.eq_ignore_ascii_case("bearer") || word.eq_ignore_ascii_case("basic") && delimiter == " ";
        }
    }
    out
}

fn is_word(c: char) -> bool {
    !(c.is_whitespace()
        || matches!(
            c,
            '"' | '\'' | ',' | ';' | '<' | '>' | '&' | '?' | '=' | '/' | '(' | ')' | '{' | '}'
        ))
}

fn looks_secret(word: &str) -> bool {
    let known = KEY_PREFIXES
        .iter()
        .any(|prefix| word.starts_with(prefix) && word.len() >= prefix.len() + 8);
    known || is_bot_token(word)
}

/// Telegram's form: digits, a colon, at least 30 symbols.
fn is_bot_token(word: &str) -> bool {
    let word = word.strip_prefix("bot").unwrap_or(word);
    let Some((digits, rest)) = word.split_once(':') else {
        return false;
    };
    digits.len() >= 6 && digits.bytes().all(|b| b.is_ascii_digit()) && rest.len() >= 30
}

#[cfg(test)]
mod tests {
    use super::redact;

    #[test]
    fn keys_and_tokens_go_words_stay() {
        let cases = [
            ("Authorization: Bearer abc", "Authorization: Bearer ***"),
            ("key sk-proj-0123456789 is wrong", "key *** is wrong"),
            (
                "https://api.telegram.org/bot123456789:AAEhBP0av28FrlPaGkYnfd6Zy5W2Vq3kLmN/getMe",
                "https://api.telegram.org/***/getMe",
            ),
            ("the answer is 42: fine", "the answer is 42: fine"),
        ];
        for (text, expected) in cases {
            assert_eq!(redact(text), expected);
        }
    }
}
