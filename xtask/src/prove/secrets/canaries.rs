//! Secrets of realistic shape, new for each run, and every form in which one could leak.

use std::fmt::Write as _;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use nbhd_core::id::{Random, SystemRandomness};

/// Secrets of realistic shape.
pub(in crate::prove) struct Canaries {
    pub(in crate::prove) refresh_token: String,
    /// What every access token begins with.
    pub(in crate::prove) access_token: String,
    pub(in crate::prove) client_secret: String,
    pub(in crate::prove) api_key: String,
    pub(in crate::prove) bot_token: String,
    pub(in crate::prove) webhook_secret: String,
    /// 32 bytes, in hexadecimal.
    pub(in crate::prove) vault_key: String,
}

impl Canaries {
    /// New ones.
    pub(in crate::prove) fn fresh() -> Self {
        Self {
            refresh_token: format!("1//0g{}-{}", letters(24), letters(40)),
            access_token: format!("ya29.a0{}_", letters(40)),
            client_secret: format!("GOCSPX-{}", letters(28)),
            api_key: format!("sk-proj-{}_{}", letters(40), letters(20)),
            bot_token: format!("7104221985:AA{}", letters(33)),
            webhook_secret: format!("whk_{}", letters(32)),
            vault_key: hexadecimal(&bytes::<32>()),
        }
    }

    /// Each with its name, as the variables of the probes have it.
    pub(super) fn named(&self) -> [(&'static str, &str); 7] {
        [
            ("refresh_token", &self.refresh_token),
            ("access_token", &self.access_token),
            ("client_secret", &self.client_secret),
            ("api_key", &self.api_key),
            ("bot_token", &self.bot_token),
            ("webhook_secret", &self.webhook_secret),
            ("vault_key", &self.vault_key),
        ]
    }

    /// What to look for.
    pub(super) fn needles(&self) -> Vec<Needle> {
        let mut needles: Vec<Needle> = self
            .named()
            .iter()
            .flat_map(|(name, secret)| forms(name, secret.as_bytes()))
            .collect();
        // The half of a bot token behind its colon is the secret one, and a key is also its bytes.
        if let Some((_, secret)) = self.bot_token.split_once(':') {
            needles.extend(forms("bot_token", secret.as_bytes()));
        }
        let key: Vec<u8> = (0..self.vault_key.len() / 2)
            .filter_map(|at| u8::from_str_radix(self.vault_key.get(2 * at..2 * at + 2)?, 16).ok())
            .collect();
        needles.extend(forms("vault_key", &key));
        needles
    }
}

/// One form of one secret.
pub(super) struct Needle {
    pub(super) secret: &'static str,
    pub(super) form: &'static str,
    pub(super) bytes: Vec<u8>,
}

/// Plain, base64 at each of its three alignments in both alphabets, hexadecimal, URL-encoded, JSON-escaped.
fn forms(secret: &'static str, plain: &[u8]) -> Vec<Needle> {
    let mut forms = vec![("plain", plain.to_vec())];
    for (engine, form) in [(&STANDARD_NO_PAD, "base64"), (&URL_SAFE_NO_PAD, "base64url")] {
        for before in 0..3 {
            let text = engine.encode([vec![0; before], plain.to_vec()].concat());
            // The letters at both ends also hold bits of what stands beside.
            let (from, to) = ((before * 8).div_ceil(6), (before + plain.len()) * 8 / 6);
            forms.push((form, text.as_bytes()[from..to].to_vec()));
        }
    }
    let hex = hexadecimal(plain);
    forms.push(("hexadecimal", hex.to_uppercase().into_bytes()));
    forms.push(("hexadecimal", hex.into_bytes()));
    let encoded = |form: &str| -> Vec<u8> {
        plain
            .iter()
            .flat_map(|byte| match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => vec![*byte],
                byte if form == "lower" => format!("%{byte:02x}").into_bytes(),
                byte => format!("%{byte:02X}").into_bytes(),
            })
            .collect()
    };
    forms.push(("URL-encoded", encoded("upper")));
    forms.push(("URL-encoded", encoded("lower")));
    if let Ok(text) = std::str::from_utf8(plain) {
        forms.push(("JSON-escaped", text.replace('/', "\\/").into_bytes()));
        forms.push(("JSON-escaped", text.replace('/', "\\u002f").into_bytes()));
    }
    forms.dedup_by(|a, b| a.1 == b.1);
    let mut needles = Vec::<Needle>::new();
    for (form, bytes) in forms {
        if !needles.iter().any(|known| known.bytes == bytes) {
            needles.push(Needle { secret, form, bytes });
        }
    }
    needles
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    SystemRandomness.fill(&mut bytes);
    bytes
}

/// `count` random letters and digits.
fn letters(count: usize) -> String {
    const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let letter = |byte: u8| char::from(ALPHABET[usize::from(byte) % ALPHABET.len()]);
    (0..count).map(|_| letter(bytes::<1>()[0])).collect()
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    use super::Canaries;

    #[test]
    fn a_secret_is_found_wherever_it_stands_in_an_encoded_text() {
        let canaries = Canaries::fresh();
        let needles = canaries.needles();
        let found = |text: &[u8]| {
            needles
                .iter()
                .any(|needle| text.windows(needle.bytes.len()).any(|part| part == needle.bytes))
        };
        for (_, secret) in canaries.named() {
            for before in ["", "a", "ab", "abc"] {
                let text = format!("{before}{secret} and more");
                assert!(found(text.as_bytes()));
                assert!(found(STANDARD.encode(&text).as_bytes()), "{before}");
            }
        }
        assert!(found(canaries.refresh_token.replace('/', "%2F").as_bytes()));
        assert!(!found(b"a text that holds no secret"));
    }
}
