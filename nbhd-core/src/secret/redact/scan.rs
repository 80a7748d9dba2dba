//! The pass itself. Each look ahead is either consumed, bounded, or remembered, so the whole is linear.

use super::shapes::{
    bot_token, ends_url, is_base64, is_base64_run, is_name, is_secret_name, is_token, run, token_of_a_family,
};

const MARK: &str = "***";

pub(super) struct Scanner<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    out: String,
    /// Whether a word may begin here.
    boundary: bool,
    /// Whether we are within a URL.
    url: bool,
    /// Up to where there is surely no data URI, and no long run.
    no_data_before: usize,
    no_run_before: usize,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            text,
            bytes: text.as_bytes(),
            at: 0,
            out: String::with_capacity(text.len()),
            boundary: true,
            url: false,
            no_data_before: 0,
            no_run_before: 0,
        }
    }

    pub(super) fn run(mut self) -> String {
        while let Some(&byte) = self.bytes.get(self.at) {
            if self.boundary && self.credential() {
                self.boundary = true;
                continue;
            }
            if self.boundary && is_name(byte) {
                self.word();
                continue;
            }
            self.mark(byte);
        }
        self.out
    }

    fn rest(&self) -> &'a [u8] {
        &self.bytes[self.at..]
    }

    /// Copies the next `length` bytes. They end at a character's border: all callers count ASCII.
    fn copy(&mut self, length: usize) {
        let end = self.at + length;
        self.out.push_str(&self.text[self.at..end]);
        self.at = end;
    }

    fn hide(&mut self, length: usize) {
        self.out.push_str(MARK);
        self.at += length;
    }

    /// Hides a credential that begins here.
    fn credential(&mut self) -> bool {
        let rest = self.rest();
        if let Some(length) = token_of_a_family(rest).or_else(|| bot_token(rest)) {
            self.hide(length);
            return true;
        }
        if rest.starts_with(b"-----BEGIN") {
            self.hide(private_key(&self.text[self.at..]));
            return true;
        }
        if rest.len() >= 5 && rest[..5].eq_ignore_ascii_case(b"data:") && self.at >= self.no_data_before {
            let length = run(rest, |byte| !ends_url(byte) && byte != b')');
            if rest[5..length].contains(&b',') {
                self.copy(5);
                self.hide(length - 5);
                return true;
            }
            self.no_data_before = self.at + length;
        }
        if is_base64(rest[0]) && self.at >= self.no_run_before {
            let length = run(rest, is_base64);
            if is_base64_run(&rest[..length]) {
                self.hide(length);
                return true;
            }
            self.no_run_before = self.at + length;
        }
        false
    }

    /// Copies a word, and hides what it says is secret.
    fn word(&mut self) {
        let length = run(self.rest(), is_name);
        let word = &self.text[self.at..self.at + length];
        self.copy(length);
        self.boundary = false;
        if word.eq_ignore_ascii_case("bearer") || word.eq_ignore_ascii_case("basic") {
            self.after_scheme();
        } else if is_secret_name(word) {
            self.value(word);
        }
    }

    /// After `Bearer`: white space, then the credential.
    fn after_scheme(&mut self) {
        /// Words that follow in plain text.
        const PLAIN: &[&str] = &[
            "token",
            "tokens",
            "auth",
            "authentication",
            "authorization",
            "of",
            "is",
        ];
        // Percent-encoded white space counts as well.
        let space = match self.rest() {
            [b'%', b'2', b'0', ..] => 3,
            rest => run(rest, |byte| byte == b' ' || byte == b'\t' || byte == b'+'),
        };
        let start = self.at + space;
        let length = run(&self.bytes[start..], |byte| {
            is_token(byte) || byte == b'/' || byte == b':'
        });
        if space == 0 || length == 0 || PLAIN.contains(&&self.text[start..start + length]) {
            return;
        }
        self.copy(space);
        self.hide(length);
        self.boundary = true;
    }

    /// After a secret-like name: quotes and a separator, then the value.
    fn value(&mut self, name: &str) {
        let rest = self.rest();
        let quote = |byte: u8| b"\"'`\\ ".contains(&byte);
        let before = run(rest, quote).min(8);
        let separator = match &rest[before..] {
            [b':' | b'=', b'>', ..] => 2, // Ruby's =>
            [b':' | b'=', ..] => 1,
            [b'%', b'3', b'A' | b'a' | b'D' | b'd', ..] => 3,
            _ => return,
        };
        let after = before + separator;
        let open = run(&rest[after..], quote);
        let start = after + open;
        let opening = &rest[after..start];
        self.copy(start);
        let rest = self.rest();
        let header = name.to_ascii_lowercase().ends_with("cookie");
        let length = if let Some(mark) = opening.iter().find(|byte| b"\"'`".contains(byte)) {
            // Up to the closing quote; one behind a backslash closes only what was opened so.
            let escaped = opening.contains(&b'\\');
            let mut behind = false;
            run_with(rest, |byte| {
                let ends = byte == *mark && (escaped || !behind) || escaped && byte == b'\\';
                behind = byte == b'\\' && !behind;
                !ends
            })
        } else if header {
            run(rest, |byte| byte != b'\n' && byte != b'\r')
        } else {
            run(rest, |byte| {
                !byte.is_ascii_whitespace() && !b",;&\"'<>`)}]".contains(&byte)
            })
        };
        // A number, a truth value or nothing is no secret; a scheme stays, what follows it goes.
        let value = &self.text[self.at..self.at + length];
        let plain = ["", "null", "None", "nil", "true", "false", "True", "False", MARK].contains(&value);
        let scheme = ["bearer", "basic", "token", "bot", "digest"]
            .iter()
            .find(|scheme| {
                value.len() >= scheme.len()
                    && value.as_bytes()[..scheme.len()].eq_ignore_ascii_case(scheme.as_bytes())
            });
        match scheme {
            Some(scheme) if matches!(self.bytes.get(self.at + scheme.len()), Some(b' ' | b'\t')) => {
                self.copy(scheme.len() + 1);
                let left = if length > scheme.len() + 1 {
                    length - scheme.len() - 1
                } else {
                    run(self.rest(), |byte| {
                        !byte.is_ascii_whitespace() && !b",;&\"'<>`".contains(&byte)
                    })
                };
                self.hide(left);
            }
            _ if plain => self.copy(length),
            _ => self.hide(length),
        }
        self.boundary = true;
    }

    /// Copies what is between words: escapes, the marks of a URL, everything else.
    fn mark(&mut self, byte: u8) {
        let rest = self.rest();
        self.boundary = true;
        match byte {
            b':' if rest.starts_with(b"://") => {
                self.copy(3);
                self.url = true;
                let rest = self.rest();
                let host = run(rest, |byte| !ends_url(byte) && !b"/?#".contains(&byte));
                if let Some(user) = rest[..host].iter().rposition(|byte| *byte == b'@') {
                    self.hide(user);
                }
            }
            b'?' | b'#' if self.url || byte == b'?' && begins_query(&rest[1..]) => {
                let length = run(&rest[1..], |byte| !ends_url(byte));
                self.copy(1);
                if length > 0 {
                    self.hide(length);
                }
                self.url = false;
            }
            b'%' if rest.len() > 2 && rest[1..3].iter().all(u8::is_ascii_hexdigit) => self.copy(3),
            b'\\' if rest.len() > 5 && rest[1] == b'u' && rest[2..6].iter().all(u8::is_ascii_hexdigit) => {
                self.copy(6);
            }
            b'\\' if rest.len() > 1 && rest[1].is_ascii() => self.copy(2),
            byte if byte.is_ascii() => {
                self.url &= !ends_url(byte);
                // Within a word nothing begins.
                self.boundary = !is_name(byte);
                self.copy(1);
            }
            _ => {
                let length = self.text[self.at..].chars().next().map_or(1, char::len_utf8);
                self.copy(length);
            }
        }
    }
}

/// The length of what begins with `-----BEGIN`: up to its end, or all of the rest where it has none.
fn private_key(text: &str) -> usize {
    const END: &str = "-----END";
    const RULE: &str = "-----";
    let Some(end) = text.find(END).map(|end| end + END.len()) else {
        return text.len();
    };
    text[end..]
        .find(RULE)
        .map_or(text.len(), |rule| end + rule + RULE.len())
}

/// Whether `name=` comes next: a query, and not the end of a question.
fn begins_query(bytes: &[u8]) -> bool {
    const LONGEST: usize = 64;
    let bytes = &bytes[..bytes.len().min(LONGEST)];
    let name = run(bytes, is_name);
    name > 0 && bytes.get(name) == Some(&b'=')
}

fn run_with(bytes: &[u8], mut within: impl FnMut(u8) -> bool) -> usize {
    bytes
        .iter()
        .position(|byte| !within(*byte))
        .unwrap_or(bytes.len())
}
