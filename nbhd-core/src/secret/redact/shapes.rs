//! What credentials look like where no family says it.

use base64::Engine;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};

use super::work;

/// Ends of names whose values are secret, in lower case and without separators.
const SECRET_NAMES: &[&str] = &[
    "token",
    "secret",
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "pwd",
    "apikey",
    "accesskey",
    "secretkey",
    "privatekey",
    "signingkey",
    "encryptionkey",
    "vaultkey",
    "masterkey",
    "accountkey",
    "sharedkey",
    "authkey",
    "authorization",
    "authcode",
    "authorizationcode",
    "credential",
    "credentials",
    "cookie",
    "assertion",
    "codeverifier",
    "sessionid",
    "sessionkey",
    "jwt",
    "connectionstring",
    "mnemonic",
    "seedphrase",
    "recoverycode",
];

/// How long a run of base64 is suspicious: the text of 48 bytes. Hashes in hexadecimal (64 digits) have it too; they go as well.
pub(super) const LONG_RUN: usize = 64;

/// Whether `byte` may stand in a key or token.
pub(super) fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_-.~+=".contains(&byte)
}

/// Whether `byte` may stand in a name.
pub(super) fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-' || byte == b'.'
}

/// Whether `byte` may stand in base64, of either alphabet.
pub(super) fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+/=_-".contains(&byte)
}

/// Whether `byte` ends a URL in text.
pub(super) fn ends_url(byte: u8) -> bool {
    byte.is_ascii_whitespace() || b"\"'<>`\\".contains(&byte)
}

/// The length of the bot token that `bytes` begin with: at least 6 digits, a colon, at least 30 symbols.
pub(super) fn bot_token(bytes: &[u8]) -> Option<usize> {
    let start = if bytes.starts_with(b"bot") { 3 } else { 0 };
    let digits = run(&bytes[start..], |byte| byte.is_ascii_digit());
    let colon = start + digits;
    // In a URL the colon may be escaped.
    let symbols = match bytes.get(colon..)? {
        [b':', ..] => colon + 1,
        [b'%', b'3', b'A' | b'a', ..] => colon + 3,
        _ => return None,
    };
    let length = run(&bytes[symbols..], |byte| {
        byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
    });
    (digits >= 6 && length >= 30).then_some(symbols + length)
}

/// Whether the value of something called `name` is secret. Only the end of a name counts.
pub(super) fn is_secret_name(name: &str) -> bool {
    const LONGEST: usize = 64;
    let end = &name[name.len().saturating_sub(LONGEST)..];
    let plain: String = end
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect();
    work::count(end.len() + SECRET_NAMES.len());
    SECRET_NAMES.iter().any(|end| plain.ends_with(end)) || end.to_ascii_lowercase().ends_with("_pass")
}

/// Whether a long run of base64 is one, and not a long path or a long name.
pub(super) fn is_base64_run(run: &[u8]) -> bool {
    const EVERY: usize = 16;
    if run.len() < LONG_RUN {
        return false;
    }
    let slashes = run.split(|byte| *byte == b'/').count() - 1;
    let marks = run.iter().filter(|byte| b"_-=".contains(byte)).count();
    // Of 64 symbols by chance, one in 50,000 times none is a digit; names of words have none.
    let digits = run.iter().any(u8::is_ascii_digit);
    let both = marks == 0 && run.iter().any(u8::is_ascii_uppercase) && run.iter().any(u8::is_ascii_lowercase);
    slashes * EVERY <= run.len() && marks * 2 <= run.len() && (digits || both)
}

/// Whether what follows the word `Bearer` in a text is a token, and not the next word.
pub(super) fn is_bearer(text: &str) -> bool {
    const LONG: usize = 20;
    let inner = text.trim_end_matches(['.', ',', ':', ';']);
    inner.len() >= LONG
        || inner.bytes().skip(1).any(|byte| byte.is_ascii_uppercase())
        || inner
            .bytes()
            .any(|byte| byte.is_ascii_digit() || b"_-.~+/=:".contains(&byte))
}

/// Whether what follows the word `Basic` in a text is a pair of name and password.
pub(super) fn is_basic(text: &str) -> bool {
    let lenient = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let decoded = GeneralPurpose::new(&alphabet::STANDARD, lenient).decode(text.trim_end_matches('.'));
    decoded.is_ok_and(|pair| pair.contains(&b':'))
}

/// How many bytes from the start are as `is` says.
pub(super) fn run(bytes: &[u8], is: impl Fn(u8) -> bool) -> usize {
    let length = bytes.iter().position(|byte| !is(*byte)).unwrap_or(bytes.len());
    work::count(length + 1);
    length
}

/// Where a quoted text ends: the length of what is within, when it was opened by `depth` backslashes and `mark`.
///
/// A quote closes when as many backslashes stand before it as opened it. Within a text that is quoted n times over, each backslash of
/// the text itself has become twice as many as the opening has and two more.
pub(super) fn quoted(bytes: &[u8], depth: usize, mark: u8) -> usize {
    let mut behind = 0;
    for (at, byte) in bytes.iter().enumerate() {
        if *byte == b'\\' {
            behind += 1;
            continue;
        }
        if *byte == mark && behind % (2 * depth + 2) == depth {
            work::count(at + 1);
            return at - depth;
        }
        behind = 0;
    }
    work::count(bytes.len());
    bytes.len()
}
