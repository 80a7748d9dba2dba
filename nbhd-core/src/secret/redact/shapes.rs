//! What credentials look like.

/// Beginnings by which keys and tokens are known, and how many more characters make one.
const FAMILIES: &[(&str, usize)] = &[
    ("sk-", 8),
    ("sk_live_", 8),
    ("sk_test_", 8),
    ("rk_live_", 8),
    ("ya29.", 8),
    ("1//", 8),
    ("4/0A", 8),
    ("GOCSPX-", 8),
    ("AIza", 16),
    ("eyJ", 8),
    ("xoxa-", 8),
    ("xoxb-", 8),
    ("xoxe-", 8),
    ("xoxp-", 8),
    ("xoxr-", 8),
    ("xoxs-", 8),
    ("xapp-", 8),
    ("ghp_", 8),
    ("gho_", 8),
    ("ghu_", 8),
    ("ghs_", 8),
    ("ghr_", 8),
    ("github_pat_", 8),
    ("glpat-", 8),
    ("whsec_", 8),
    ("gsk_", 16),
    ("xai-", 16),
    ("pplx-", 16),
    ("nvapi-", 16),
    ("hf_", 16),
    ("r8_", 16),
    ("npm_", 16),
    ("AKIA", 16),
    ("ASIA", 16),
    ("SG.", 16),
];

/// Ends of names whose values are secret, in lower case and without separators.
const SECRET_NAMES: &[&str] = &[
    "token",
    "secret",
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "apikey",
    "accesskey",
    "secretkey",
    "privatekey",
    "signingkey",
    "encryptionkey",
    "vaultkey",
    "authorization",
    "credential",
    "credentials",
    "cookie",
    "assertion",
    "codeverifier",
    "sessionid",
    "jwt",
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

/// The length of the key or token that `bytes` begin with.
pub(super) fn token_of_a_family(bytes: &[u8]) -> Option<usize> {
    let (prefix, more) = FAMILIES
        .iter()
        .find(|(prefix, _)| bytes.starts_with(prefix.as_bytes()))?;
    // Refresh tokens and authorization codes have slashes within.
    let slash = prefix.contains('/');
    let run = run(&bytes[prefix.len()..], |byte| {
        is_token(byte) || slash && byte == b'/'
    });
    (run >= *more).then_some(prefix.len() + run)
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

/// Whether the value of something called `name` is secret.
pub(super) fn is_secret_name(name: &str) -> bool {
    const LONGEST: usize = 64;
    if name.len() > LONGEST {
        return false;
    }
    let plain: String = name
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect();
    SECRET_NAMES.iter().any(|end| plain.ends_with(end))
}

/// Whether a long run of base64 is one, and not a long path of words.
pub(super) fn is_base64_run(run: &[u8]) -> bool {
    const EVERY: usize = 16;
    let slashes = run.split(|byte| *byte == b'/').count() - 1;
    let marks = run.iter().filter(|byte| b"_-=".contains(byte)).count();
    run.len() >= LONG_RUN && slashes * EVERY <= run.len() && marks * 2 <= run.len()
}

/// How many bytes from the start are as `is` says.
pub(super) fn run(bytes: &[u8], is: impl Fn(u8) -> bool) -> usize {
    bytes.iter().position(|byte| !is(*byte)).unwrap_or(bytes.len())
}
