//! Row `secrets`.

use nbhd_core::id::{Random, SystemRandomness};

/// Secrets of realistic shape, new for each run.
pub(super) struct Canaries {
    pub(super) refresh_token: String,
    pub(super) access_token: String,
    pub(super) client_secret: String,
    pub(super) api_key: String,
    pub(super) bot_token: String,
    pub(super) webhook_secret: String,
    pub(super) vault_key: String,
}

impl Canaries {
    /// New ones.
    pub(super) fn fresh() -> Self {
        Self {
            refresh_token: format!("1//0g{}-{}", letters(24), letters(40)),
            access_token: format!("ya29.a0{}_", letters(40)),
            client_secret: format!("GOCSPX-{}", letters(28)),
            api_key: format!("sk-proj-{}_{}", letters(40), letters(20)),
            bot_token: format!("7104221985:AA{}", letters(33)),
            webhook_secret: format!("whk_{}", letters(32)),
            vault_key: bytes::<32>().iter().map(|byte| format!("{byte:02x}")).collect(),
        }
    }
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
