//! Finds known secrets in what comes back, however it spells them.
//!
//! An answer may repeat a secret as it is, percent-encoded, escaped as JSON or HTML text, in hexadecimal, or inside of base64. Each character is
//! matched in every spelling at once, so that mixed and repeated escapes (JSON inside of JSON, an encoded URL inside of a URL) are found too.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::Secret;

/// The shortest secret that can be told from ordinary text.
pub(crate) const SHORTEST: usize = 4;

/// The shortest piece of base64 that is taken for a secret's: 6 characters occur by chance once in 69 GB.
const SHORTEST_BASE64: usize = 6;

/// How many escapes may stand within each other: more than any sane answer has.
const DEPTH: usize = 4;

/// Secrets that have to go.
pub(crate) struct Concealer {
    needles: Vec<Secret<Vec<char>>>,
}

impl Concealer {
    /// Looks for these. Empty ones are left out.
    pub(crate) fn new<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Self {
        let mut needles = Vec::new();
        for secret in secrets.into_iter().filter(|secret| !secret.is_empty()) {
            let mut add = |text: &str| needles.push(Secret::from_value(text.chars().collect::<Vec<_>>()));
            add(secret);
            if secret.len() >= SHORTEST {
                let hexadecimal = secret
                    .bytes()
                    .fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
                add(&hexadecimal);
                add(&hexadecimal.to_uppercase());
            }
            for piece in base64_pieces(secret.as_bytes()) {
                add(&piece);
                if piece.contains(['+', '/']) {
                    add(&piece.replace('+', "-").replace('/', "_"));
                }
            }
        }
        // The longest match at a place wins.
        needles.sort_by_key(|needle| std::cmp::Reverse(needle.expose().len()));
        Self { needles }
    }

    /// Whether any of the secrets is in `text`.
    pub(crate) fn finds(&self, text: &[u8]) -> bool {
        (0..text.len()).any(|at| self.at(text, at).is_some())
    }

    /// `text` with `***` for each secret, and how many there were.
    pub(crate) fn conceal(&self, text: &[u8]) -> (Vec<u8>, usize) {
        let mut clean = Vec::with_capacity(text.len());
        let (mut at, mut found) = (0, 0);
        while at < text.len() {
            if let Some(end) = self.at(text, at) {
                clean.extend_from_slice(b"***");
                found += 1;
                at = end;
            } else {
                clean.push(text[at]);
                at += 1;
            }
        }
        (clean, found)
    }

    /// Where the longest secret that begins at `at` ends.
    fn at(&self, text: &[u8], at: usize) -> Option<usize> {
        self.needles
            .iter()
            .filter_map(|needle| spelled(needle.expose(), text, at))
            .max()
    }
}

/// The parts of base64 text that only depend on the secret, whatever stands before and after it: three alignments.
fn base64_pieces(secret: &[u8]) -> Vec<String> {
    (0..3)
        .filter_map(|before| {
            let mut padded = vec![0; before];
            padded.extend_from_slice(secret);
            let text = STANDARD_NO_PAD.encode(&padded);
            // Characters that also hold bits of what stands before or after are left out.
            let from = (before * 8).div_ceil(6);
            let to = padded.len() * 8 / 6;
            text.get(from..to).map(str::to_owned)
        })
        .filter(|piece| piece.len() >= SHORTEST_BASE64)
        .collect()
}

/// Where `needle` ends when it is spelled at `at`.
fn spelled(needle: &[char], text: &[u8], at: usize) -> Option<usize> {
    let mut first = [0; 4];
    let first = needle.first()?.encode_utf8(&mut first).as_bytes()[0];
    if text[at] != first && !matches!(text[at], b'%' | b'\\' | b'&' | b'+') {
        return None;
    }
    let mut ends = vec![at];
    for character in needle {
        let mut next = Vec::new();
        for at in ends {
            spellings(*character, text, at, &mut next);
        }
        if next.is_empty() {
            return None;
        }
        next.sort_unstable();
        next.dedup();
        ends = next;
    }
    ends.into_iter().max()
}

/// Every place where a spelling of `character` at `at` ends.
fn spellings(character: char, text: &[u8], at: usize, ends: &mut Vec<usize>) {
    let mut plain = [0; 4];
    let plain = character.encode_utf8(&mut plain).as_bytes();
    if text[at..].starts_with(plain) {
        ends.push(at + plain.len());
    }
    match text.get(at) {
        Some(b'%') => percent(plain, text, at, ends),
        Some(b'+') if character == ' ' => ends.push(at + 1),
        Some(b'\\') => escaped(character, text, at, ends),
        Some(b'&') => ends.extend(entity(character, text, at)),
        _ => {}
    }
}

/// `%C3%A9`, in either case, and with its percent signs encoded again (`%25C3`).
fn percent(plain: &[u8], text: &[u8], at: usize, ends: &mut Vec<usize>) {
    let mut places = vec![at];
    for byte in plain {
        let mut next = Vec::new();
        for at in places.into_iter().filter(|at| text.get(*at) == Some(&b'%')) {
            for at in (0..=DEPTH).map(|depth| at + 1 + 2 * depth) {
                // Of a percent sign itself, `%25` may be the end already.
                if hex(text, at, 2) == Some(u32::from(*byte)) {
                    next.push(at + 2);
                }
                if text.get(at..at + 2) != Some(b"25") {
                    break;
                }
            }
        }
        places = next;
    }
    ends.extend(places);
}

/// Behind backslashes: `\u00e9`, `\xe9`, or the character itself; and the escapes of control characters.
fn escaped(character: char, text: &[u8], at: usize, ends: &mut Vec<usize>) {
    let slashes = text[at..]
        .iter()
        .take(1 << DEPTH)
        .take_while(|byte| **byte == b'\\')
        .count();
    if character == '\\' {
        // One backslash is written as two, four, eight …
        ends.extend(
            (1..=DEPTH)
                .map(|depth| 1 << depth)
                .filter(|many| *many <= slashes)
                .map(|many| at + many),
        );
    }
    let at = at + slashes;
    let unit = |at: usize| {
        (text.get(at) == Some(&b'u'))
            .then(|| hex(text, at + 1, 4))
            .flatten()
    };
    let mut units = [0; 2];
    match *character.encode_utf16(&mut units) {
        [one] if unit(at) == Some(u32::from(one)) => ends.push(at + 5),
        [high, low] if unit(at) == Some(u32::from(high)) => {
            let again = at + 5;
            let slashes = text[again.min(text.len())..]
                .iter()
                .take(1 << DEPTH)
                .take_while(|byte| **byte == b'\\')
                .count();
            if slashes > 0 && unit(again + slashes) == Some(u32::from(low)) {
                ends.push(again + slashes + 5);
            }
        }
        _ => {}
    }
    if text.get(at) == Some(&b'x') && hex(text, at + 1, 2) == Some(u32::from(character)) {
        ends.push(at + 3);
    }
    let control = match character {
        '\n' => Some(b'n'),
        '\r' => Some(b'r'),
        '\t' => Some(b't'),
        '\u{8}' => Some(b'b'),
        '\u{c}' => Some(b'f'),
        '"' | '\'' | '/' => Some(character as u8),
        _ => None,
    };
    if control.is_some() && text.get(at).copied() == control {
        ends.push(at + 1);
    }
}

/// `&amp;`, `&#38;`, `&#x26;`.
fn entity(character: char, text: &[u8], at: usize) -> Option<usize> {
    let end = at + text[at..].iter().take(12).position(|byte| *byte == b';')?;
    let name = std::str::from_utf8(&text[at + 1..end]).ok()?;
    let meant = match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => name
            .strip_prefix(['#'])
            .and_then(|number| match number.strip_prefix(['x', 'X']) {
                Some(number) => u32::from_str_radix(number, 16).ok(),
                None => number.parse().ok(),
            })
            .and_then(char::from_u32),
    };
    (meant == Some(character)).then_some(end + 1)
}

fn hex(text: &[u8], at: usize, digits: usize) -> Option<u32> {
    let digits = std::str::from_utf8(text.get(at..at + digits)?).ok()?;
    u32::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

    use super::*;

    fn joined<T>(parts: impl IntoIterator<Item = T>, write: impl Fn(T) -> String) -> String {
        parts.into_iter().map(write).collect::<Vec<_>>().concat()
    }

    const SECRET: &str = "kä\"y/+ <1>&\\=😀%41'z";

    #[test]
    fn every_spelling_is_found() {
        let concealer = Concealer::new([SECRET]);
        let json = serde_json::to_string(SECRET).expect("JSON");
        let ascii: String = SECRET
            .encode_utf16()
            .map(|unit| {
                if unit < 128 && unit != 34 && unit != 92 {
                    char::from(unit as u8).to_string()
                } else {
                    format!("\\u{unit:04X}")
                }
            })
            .collect();
        let everything = joined(SECRET.encode_utf16(), |unit| format!("\\u{unit:04x}"));
        let form: String = url::form_urlencoded::byte_serialize(SECRET.as_bytes()).collect();
        let percent = joined(SECRET.bytes(), |byte| format!("%{byte:02X}"));
        let hexadecimal = joined(SECRET.bytes(), |byte| format!("{byte:02x}"));
        let entities = joined(SECRET.chars(), |one| format!("&#{};", one as u32));
        let html = SECRET
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;")
            .replace('"', "&quot;");
        let mut spelled = vec![
            SECRET.to_owned(),
            json.trim_matches('"').to_owned(),
            json.trim_matches('"').replace('/', "\\/"),
            serde_json::to_string(&json)
                .expect("JSON")
                .replace("\\\"\"", "")
                .trim_matches('"')
                .to_owned(),
            ascii,
            everything,
            form.clone(),
            form.to_lowercase().replace("%c3%a4", "%C3%a4"),
            form.replace('+', "%20"),
            percent.clone(),
            percent.replace('%', "%25"),
            percent.replace('%', "%2525"),
            hexadecimal.to_uppercase(),
            hexadecimal,
            entities,
            html,
        ];
        for before in ["", "u", "us", "use:", "user:"] {
            for after in ["", "!", "!!"] {
                let text = format!("{before}{SECRET}{after}");
                spelled.push(STANDARD.encode(&text));
                spelled.push(URL_SAFE_NO_PAD.encode(&text));
                spelled.push(STANDARD.encode(&text).replace('/', "\\/"));
                spelled.push(STANDARD.encode(&text).replace('+', "%2B").replace('/', "%2f"));
            }
        }
        for text in &spelled {
            let whole = format!("{{\"echo\": \"{text}\", \"b\": 1}}");
            let (clean, found) = concealer.conceal(whole.as_bytes());
            let clean = String::from_utf8_lossy(&clean);
            assert!(found == 1 && clean.contains("***"), "{text} → {clean}");
            assert!(
                clean.starts_with("{\"echo\": \"") && clean.ends_with("\", \"b\": 1}"),
                "{clean}"
            );
            assert!(concealer.finds(whole.as_bytes()));
        }
        assert_eq!(spelled.len(), 76);
    }

    #[test]
    fn what_is_no_secret_stays() {
        let concealer = Concealer::new(["topsecret-1", "topsecret-12"]);
        let text = b"topsecret-2 topsecre t-1 %74opsecret \\u0074op TOPSECRET-1";
        assert_eq!(concealer.conceal(text), (text.to_vec(), 0));
        let (clean, found) = concealer.conceal(b"a topsecret-12 b topsecret-1 c");
        assert_eq!((clean.as_slice(), found), (b"a *** b *** c".as_slice(), 2));
        assert!(!Concealer::new([""]).finds(b"anything"));
    }

    #[test]
    fn hostile_text_ends() {
        let concealer = Concealer::new(["aaaaaaaaaaaaaaaaaaaaaaab"]);
        for piece in ["a", "%", "%25", "\\", "&", "\\u0061", "%61", "&#97;"] {
            let text = piece.repeat(40_000 / piece.len());
            assert!(!concealer.finds(text.as_bytes()), "{piece}");
        }
    }
}
