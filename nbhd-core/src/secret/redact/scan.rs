//! The pass itself. Each look ahead is either consumed, bounded, or remembered, so the whole is linear.

use super::families::token_of_a_family;
use super::shapes::{
    bot_token, ends_url, is_base64, is_base64_run, is_basic, is_bearer, is_name, is_secret_name, is_token,
    quoted, run,
};
use super::work;

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
        work::count(length);
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
            work::count(length);
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
        let begin = self.at;
        let length = run(self.rest(), is_name);
        let word = &self.text[begin..begin + length];
        self.copy(length);
        self.boundary = false;
        if word.eq_ignore_ascii_case("bearer") {
            self.after_scheme(is_bearer);
        } else if word.eq_ignore_ascii_case("basic") {
            self.after_scheme(is_basic);
        } else if is_secret_name(word) || word.eq_ignore_ascii_case("key") && self.is_second_word(begin) {
            if begin > 0 && self.bytes[begin - 1] == b'<' && self.rest().first() == Some(&b'>') {
                self.element();
            } else {
                self.value(word);
            }
        }
    }

    /// Whether the word before says which key: `api key`, `secret key`.
    fn is_second_word(&self, begin: usize) -> bool {
        const WORDS: &[&str] = &[
            "api",
            "access",
            "secret",
            "private",
            "signing",
            "encryption",
            "master",
        ];
        let before = &self.bytes[..begin.saturating_sub(1)];
        WORDS.iter().any(|word| {
            before
                .len()
                .checked_sub(word.len())
                .is_some_and(|start| before[start..].eq_ignore_ascii_case(word.as_bytes()))
        })
    }

    /// After `Bearer` or `Basic`: white space, then the credential.
    fn after_scheme(&mut self, is: fn(&str) -> bool) {
        // Percent-encoded white space counts as well.
        let space = match self.rest() {
            [b'%', b'2', b'0', ..] => 3,
            rest => run(rest, |byte| byte == b' ' || byte == b'\t' || byte == b'+'),
        };
        let start = self.at + space;
        let length = run(&self.bytes[start..], |byte| {
            is_token(byte) || byte == b'/' || byte == b':'
        });
        if space == 0 || length == 0 || !is(&self.text[start..start + length]) {
            return;
        }
        self.copy(space);
        self.hide(length);
        self.boundary = true;
    }

    /// After `<password`: the text of the element.
    fn element(&mut self) {
        self.copy(1);
        let length = run(self.rest(), |byte| byte != b'<');
        if length > 0 {
            self.hide(length);
        }
        self.boundary = true;
    }

    /// After a secret-like name: what closes it, a separator, then the value.
    fn value(&mut self, name: &str) {
        let rest = self.rest();
        let blank = |byte: u8| byte == b' ' || byte == b'\t';
        let mut after = run(rest, |byte| byte == b'\\');
        if matches!(rest.get(after), Some(b'"' | b'\'' | b'`')) {
            after += 1;
        } else {
            after = 0;
        }
        after += run(&rest[after..], blank);
        after += match &rest[after..] {
            [b':' | b'=', b'>', ..] => 2, // Ruby's =>
            [b':' | b'=', ..] => 1,
            [b'%', b'3', b'A' | b'a' | b'D' | b'd', ..] => 3,
            _ => return,
        };
        after += run(&rest[after..], blank);
        let depth = run(&rest[after..], |byte| byte == b'\\');
        if let Some(mark @ (b'"' | b'\'' | b'`')) = rest.get(after + depth).copied() {
            self.copy(after + depth + 1);
            let length = quoted(self.rest(), depth, mark);
            self.hide_value(length);
        } else {
            self.copy(after);
            let length = self.unquoted(name);
            self.hide_value(length);
        }
        self.boundary = true;
    }

    /// The length of a value without quotes.
    fn unquoted(&self, name: &str) -> usize {
        /// Schemes whose credentials are several fields: the whole line goes.
        const FIELDS: &[&str] = &["digest", "aws4-hmac-sha256", "negotiate", "ntlm", "hawk", "oauth"];
        let rest = self.rest();
        let ends = |end: &str| {
            name.len() >= end.len()
                && name.as_bytes()[name.len() - end.len()..].eq_ignore_ascii_case(end.as_bytes())
        };
        let scheme = run(rest, |byte| byte.is_ascii_alphanumeric() || byte == b'-');
        let fields = ends("authorization")
            && FIELDS
                .iter()
                .any(|field| rest[..scheme].eq_ignore_ascii_case(field.as_bytes()));
        if ends("cookie") || fields {
            return run(rest, |byte| byte != b'\n' && byte != b'\r');
        }
        run(rest, |byte| {
            !byte.is_ascii_whitespace() && !b",;&\"'<>`)}]".contains(&byte)
        })
    }

    /// Hides a value. A truth value or nothing is no secret; a scheme stays, what follows it goes.
    fn hide_value(&mut self, length: usize) {
        const PLAIN: &[&str] = &["", "null", "None", "nil", "true", "false", "True", "False", MARK];
        const SCHEMES: &[&str] = &["bearer", "basic", "token", "bot"];
        let value = &self.text[self.at..self.at + length];
        let scheme = SCHEMES.iter().find(|scheme| {
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
            _ if PLAIN.contains(&value) => self.copy(length),
            _ => self.hide(length),
        }
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
                work::count(host);
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
    work::count(end);
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
